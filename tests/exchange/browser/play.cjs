// Play a GLB in three.js in a headless Chromium: node play.cjs JOB.json -> writes what three.js shows and computes.
// JOB: { glb, chromium, out (folder), size, camera {fov, position, target}, times [s], positions: bool }.
// NODE_PATH says where three and puppeteer-core lie.
const fs = require("fs");
const http = require("http");
const path = require("path");
const puppeteer = require("puppeteer-core");

const job = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
const three = path.dirname(path.dirname(require.resolve("three")));
const kinds = { ".html": "text/html", ".js": "text/javascript", ".glb": "model/gltf-binary" };

const server = http.createServer((request, response) => {
  const name = decodeURIComponent(request.url.split("?")[0]);
  let file = path.join(__dirname, "page.html");
  if (name.startsWith("/three/")) file = path.join(three, path.normalize(name.slice(7)));
  else if (name === "/model.glb") file = job.glb;
  else if (name !== "/") return response.writeHead(404).end();
  response.writeHead(200, { "Content-Type": kinds[path.extname(file)] ?? "application/octet-stream" });
  fs.createReadStream(file).pipe(response);
});

(async () => {
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const browser = await puppeteer.launch({
    executablePath: job.chromium,
    protocolTimeout: 280000,
    args: ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
  });
  try {
    const page = await browser.newPage();
    const complaints = [];
    page.on("pageerror", (error) => complaints.push(String(error)));
    page.on("console", (line) => line.type() === "error" && complaints.push(line.text()));
    await page.setViewport({ width: job.size, height: job.size });
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.waitForFunction("window.ready");
    const said = await page.evaluate((camera) => window.load(camera), job.camera);
    said.frames = [];
    for (const [index, time] of job.times.entries()) {
      await page.evaluate((at) => window.seek(at), time);
      if (job.positions) said.frames.push(await page.evaluate(() => window.positions()));
      if (job.pictures) await page.screenshot({ path: path.join(job.out, `frame_${index}.png`) });
    }
    said.complaints = complaints;
    fs.writeFileSync(path.join(job.out, "played.json"), JSON.stringify(said));
  } finally {
    await browser.close();
    server.close();
  }
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
