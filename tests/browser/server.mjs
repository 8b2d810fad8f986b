// A claviger of our own for each test file: `init` and `serve` in a temporary directory, on ports that are free.
// CLAVIGER_BIN is the built binary.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const ADMIN = { name: "ada", password: "correct horse battery" };
export const PIN = "Secret1234";

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

async function ready(address, child, said) {
  for (let tries = 0; tries < 300; tries += 1) {
    if (child.exitCode !== null) throw new Error(`serve ended with ${child.exitCode}:\n${said.text}`);
    try {
      if ((await fetch(address)).status === 200) return;
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`serve was not ready in 30 seconds:\n${said.text}`);
}

/** Starts a server; `installed: false` leaves the first start to the setup page. */
export async function start({ installed = true } = {}) {
  const binary = process.env.CLAVIGER_BIN;
  if (!binary) throw new Error("set CLAVIGER_BIN to the built claviger");
  const home = mkdtempSync(join(tmpdir(), "claviger-browser-"));
  const data = join(home, "data");
  if (installed) {
    writeFileSync(join(home, "password"), ADMIN.password, { mode: 0o600 });
    writeFileSync(join(home, "pin"), PIN, { mode: 0o600 });
    const files = ["--password-file", join(home, "password"), "--pin-file", join(home, "pin"), "--api-key-file", join(home, "key")];
    const init = spawnSync(binary, ["init", "--data", data, "--admin", ADMIN.name, "--environment", "test", ...files], { encoding: "utf8" });
    if (init.status !== 0) throw new Error(`init ended with ${init.status}:\n${init.stdout}${init.stderr}`);
  }
  const [ui, http, edge, metrics] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const listen = [
    "--listen", `127.0.0.1:${ui}`, "--http-listen", `127.0.0.1:${http}`,
    "--edge-listen", `127.0.0.1:${edge}`, "--metrics-listen", `127.0.0.1:${metrics}`,
  ];
  const said = { text: "" };
  const child = spawn(binary, ["serve", "--data", data, ...listen], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.on("data", (bytes) => { said.text += bytes; });
  child.stderr.on("data", (bytes) => { said.text += bytes; });
  await ready(`http://127.0.0.1:${metrics}/healthz`, child, said);
  return {
    url: `https://localhost:${ui}`,
    home,
    binary,
    said: () => said.text,
    async stop() {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGTERM");
      await ended;
      rmSync(home, { recursive: true, force: true });
    },
  };
}
