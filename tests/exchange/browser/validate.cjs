// Khronos glTF validator: node validate.cjs FILE.glb ... -> one JSON report per line. NODE_PATH says where it lies.
const validator = require("gltf-validator");
const fs = require("fs");

(async () => {
  for (const name of process.argv.slice(2)) {
    const report = await validator.validateBytes(new Uint8Array(fs.readFileSync(name)), { maxIssues: 100 });
    console.log(JSON.stringify(report));
  }
})();
