#!/bin/sh
# Build the layer: sh deploy/lambda/build.sh layer [OPTION OF PIP…]
# Lambda unpacks the directory in /opt. Zip it: (cd layer && zip -r ../layer.zip .)
set -eu
directory=$1
shift
here=$(dirname "$0")

mkdir -p "$directory"
sh "$here/../operator/install.sh" "$directory/python" "$@"
cp "$here/agentops_lambda.py" "$directory/python/"
cp "$here/agentops-handler" "$directory/"
chmod a+rx "$directory/agentops-handler"
