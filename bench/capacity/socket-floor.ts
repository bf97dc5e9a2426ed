/** `native/bench/socket-floor.cc` as a peer of `calls.ts`: what the system takes for the packets alone. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SOURCES = ['bench/socket-floor.cc', 'realtime-thread.cc', 'udp-socket.cc'];

export class SocketFloor {
  readonly #child: ChildProcess;
  /** Of its calls, in their order. */
  readonly ports: readonly number[];

  private constructor(child: ChildProcess, ports: readonly number[]) {
    this.#child = child;
    this.ports = ports;
  }

  /** @returns undefined without a compiler. */
  static async start(calls: number): Promise<SocketFloor | undefined> {
    const folder = mkdtempSync(join(tmpdir(), 'socket-floor-'));
    try {
      const program = join(folder, 'socket-floor');
      const sources = SOURCES.map((name) => fileURLToPath(new URL(`../../native/${name}`, import.meta.url)));
      if (spawnSync('g++', ['-std=c++17', '-O2', '-pthread', ...sources, '-o', program]).status !== 0) return undefined;
      const child = spawn(program, [`${calls}`], { stdio: ['pipe', 'pipe', 'inherit'] });
      const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
      return new SocketFloor(child, JSON.parse(line) as number[]);
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  get pid(): number {
    return this.#child.pid!;
  }

  async stop(): Promise<void> {
    const gone = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await gone;
  }
}
