// The server under test: started in a directory of its own, killed, started again.
import { spawn } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";

const workspace = path.resolve(import.meta.dirname, "../../..");

/** The command that starts the chat: CHAT_APP (with arguments if it has blanks), or the debug build. */
function command() {
  const target = process.env.CARGO_TARGET_DIR ?? path.join(workspace, "target");
  return process.env.CHAT_APP?.trim().split(/\s+/) ?? [path.join(target, "debug/chat-app")];
}

/** Starts a chat with an empty database; answers when it is ready. */
export async function startServer() {
  const server = new ChatServer(await freePort(), await mkdtemp(path.join(os.tmpdir(), "chat-browser-")));
  await server.start();
  return server;
}

class ChatServer {
  #process;
  #exited;
  #output = "";
  #directory;

  constructor(port, directory) {
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.#directory = directory;
  }

  async start() {
    const [program, ...args] = command();
    const child = spawn(program, [...args, "--listen", `127.0.0.1:${this.port}`, "--database", this.#database], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#process = child;
    this.#exited = new Promise((resolve) => {
      child.on("error", (error) => resolve(String(error)));
      child.on("exit", (code, signal) => resolve(signal ?? code));
    });
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (data) => (this.#output = (this.#output + data).slice(-OUTPUT_MAX)));
    }
    const ended = this.#exited.then((how) => {
      throw new Error(`${program} ended (${how}) before it was ready:\n${this.#output}`);
    });
    await Promise.race([this.#ready(child), ended]);
  }

  /** kill -9: no chance to say or to write anything. */
  async kill() {
    this.#process.kill("SIGKILL");
    await this.#exited;
  }

  /** Ends it for good and removes what it wrote. */
  async remove() {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }

  /** Throws the conversation away. Only while the server is not running. */
  async loseDatabase() {
    const files = await readdir(this.#directory);
    if (!files.includes(path.basename(this.#database))) throw new Error(`no database among ${files}`);
    for (const file of files) await rm(path.join(this.#directory, file), { recursive: true });
  }

  get #database() {
    return path.join(this.#directory, "chat.db");
  }

  async #ready(child) {
    while (child.exitCode === null && child.signalCode === null) {
      const answer = await fetch(`${this.url}/healthz`).catch(() => undefined);
      if (answer?.status === 200) return;
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
}

/** A port nobody listens on. */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.on("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

const OUTPUT_MAX = 20_000;
