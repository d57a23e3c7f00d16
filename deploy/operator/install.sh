#!/bin/sh
# Install the packages that the OpenTelemetry Operator injects: sh deploy/operator/install.sh DIRECTORY [OPTION OF PIP…]
set -eu
directory=$1
shift
here=$(dirname "$0")
python=${PYTHON:-python}
wheels=$(mktemp -d)
constraints=$wheels/constraints.txt

# This release works with every protobuf that OpenTelemetry supports, because the application's own may be any of them.
sed 's/^googleapis-common-protos==.*/googleapis-common-protos==1.74.0/' "$here/../../constraints.txt" > "$constraints"

"$python" -m pip wheel --quiet --no-deps --wheel-dir "$wheels" "$here/../.."
# Without .pyc files: those of one version of Python are of no use to the others.
"$python" -m pip install --quiet --no-compile --target "$directory" --constraint "$constraints" \
    "$@" "$wheels"/*.whl
rm -rf "$wheels" "$directory/bin"
# This one lets the application's own packages have priority.
cp "$directory/agentops_otel_litellm/sdk/child_processes/sitecustomize.py" \
    "$directory/opentelemetry/instrumentation/auto_instrumentation/sitecustomize.py"
chmod -R a+rX "$directory"
