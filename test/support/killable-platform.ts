import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';

const PROGRAM = new URL('platform-process.mjs', import.meta.url).pathname;

/** A platform in a process of its own that can be killed at any moment and started again on the same port. */
export class KillablePlatform {
  readonly port: number;
  #running: ChildProcess;
  /** The next one, loaded and waiting for the port. */
  #next: Promise<ChildProcess> = load();

  private constructor(running: ChildProcess, port: number) {
    this.#running = running;
    this.port = port;
  }

  static async start(): Promise<KillablePlatform> {
    const child = await load();
    return new KillablePlatform(child, await listen(child, 0));
  }

  /** Resolves when the next one is loaded, so that a kill takes no longer than it says. */
  async ready(): Promise<void> {
    await this.#next;
  }

  /** SIGKILL, and another process in its place `afterMs` later. */
  async kill(afterMs: number): Promise<void> {
    const next = await this.#next;
    const gone = once(this.#running, 'exit');
    this.#running.kill('SIGKILL');
    await gone;
    await sleep(afterMs);
    await listen(next, this.port);
    this.#running = next;
    this.#next = load();
  }

  async close(): Promise<void> {
    for (const child of [this.#running, await this.#next]) child.kill('SIGKILL');
  }
}

async function load(): Promise<ChildProcess> {
  const child = fork(PROGRAM, { execArgv: [] });
  await once(child, 'message');
  return child;
}

async function listen(child: ChildProcess, port: number): Promise<number> {
  child.send(port);
  const [bound] = (await once(child, 'message')) as [number];
  return bound;
}
