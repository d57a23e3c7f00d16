// Runs methods of Langfuse's OtelIngestionProcessor on attributes: node run_langfuse_mapper.cjs DIRECTORY < attributes.json
//
// DIRECTORY has Langfuse's sources of its OpenTelemetry endpoint (packages/shared/src/server/otel). They are compiled in
// memory by the package `typescript`. Modules outside of the directory (database, queues, log) are replaced by stubs.
const fs = require("fs");
const path = require("path");
const ts = require("typescript");

const directory = process.argv[2];
const stub = new Proxy(function () {}, {
  get: (_target, name) => (name === Symbol.toPrimitive ? () => "" : stub),
  apply: () => undefined,
  construct: () => ({}),
});

function load(name) {
  const source = fs.readFileSync(path.join(directory, `${name}.ts`), "utf8");
  const compiled = ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
  }).outputText;
  const module = { exports: {} };
  const requireLocal = (wanted) =>
    /^\.\/\w+$/.test(wanted) && fs.existsSync(path.join(directory, `${wanted}.ts`)) && wanted !== "./OtelMediaProcessor"
      ? load(wanted.slice(2))
      : wanted.startsWith(".")
        ? stub
        : require(wanted);
  new Function("require", "module", "exports", compiled)(requireLocal, module, module.exports);
  return module.exports;
}

const { OtelIngestionProcessor } = load("OtelIngestionProcessor");
const mapper = Object.create(OtelIngestionProcessor.prototype);
const attributes = JSON.parse(fs.readFileSync(0, "utf8"));
const context = { spanId: "1", traceId: "1", source: "event" };
console.log(
  JSON.stringify({
    model: mapper.extractModelName(attributes),
    usage: mapper.extractUsageDetails(attributes, "agentops_otel_litellm", context),
    cost: mapper.extractCostDetails(attributes, context),
    start: mapper.extractCompletionStartTime(attributes, undefined),
    tags: mapper.extractTags(attributes),
    session: mapper.extractSessionId(attributes),
    user: mapper.extractUserId(attributes),
  }),
);
