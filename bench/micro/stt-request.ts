/**
 * CPU of one STT request of 5 s of audio, from the samples to the socket and back to its transcript: the gateway's way,
 * and `JSON.stringify` with the defaults of `ws`, with and without bufferutil.
 *
 * `node --import tsx bench/micro/stt-request.ts [--json FILE]`. Exits 1 when the goal is missed.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { ask, endChild, startChild } from '../support/child.ts';
import {
  describeMachine,
  installedVersion,
  jsonFileOption,
  percentile,
  printMachine,
  writeJson,
} from '../support/report.ts';

export interface RequestJob {
  readonly url: string;
  readonly way: 'gateway' | 'plain';
  /** Of audio. */
  readonly seconds: number;
  readonly warmUpRequests: number;
  readonly requests: number;
}

const WAYS = {
  gateway: { way: 'gateway', env: {} },
  'JSON.stringify, ws with bufferutil': { way: 'plain', env: {} },
  'JSON.stringify, ws': { way: 'plain', env: { WS_NO_BUFFER_UTIL: '1' } },
} as const;
const GOAL = 4;
const ROUNDS = 5;

/** µs of CPU a request, of a process of its own. */
async function measure(url: string, { way, env }: (typeof WAYS)[keyof typeof WAYS]): Promise<number> {
  const client = startChild(new URL('./stt-request-client.ts', import.meta.url), { env });
  try {
    const job: RequestJob = { url, way, seconds: 5, warmUpRequests: 100, requests: 200 };
    return await ask<number>(client, job);
  } finally {
    await endChild(client);
  }
}

async function main(): Promise<number> {
  const machine = describeMachine();
  printMachine(machine);
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  await once(server, 'listening');
  server.on('connection', (socket) => socket.on('message', () => socket.send('heard')));
  const url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;

  const rounds = new Map<string, number[]>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, way] of Object.entries(WAYS)) {
      rounds.set(name, [...(rounds.get(name) ?? []), await measure(url, way)]);
    }
  }
  server.close();
  const microseconds: Record<string, number> = {};
  for (const [name, all] of rounds) {
    all.sort((a, b) => a - b);
    microseconds[name] = percentile(all, 0.5);
    console.log(
      `${name}: ${microseconds[name].toFixed(0)} µs of CPU (rounds: ${all.map((us) => us.toFixed(0)).join(' ')})`,
    );
  }
  const ratio = microseconds['JSON.stringify, ws']! / microseconds['gateway']!;
  console.log(`${ratio.toFixed(1)}x less than JSON.stringify and ws (goal ${GOAL})`);
  writeJson(jsonFileOption(), {
    bench: 'stt-request',
    machine,
    peerVersion: installedVersion('ws'),
    microseconds,
    ratio,
    goal: GOAL,
  });
  return ratio >= GOAL ? 0 : 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await main();
