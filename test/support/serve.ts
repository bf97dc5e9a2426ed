import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';
import type { EventType, GatewayEvent } from '../../src/core/events.ts';

export interface ServedGateway {
  readonly http: string;
  /** `HOST:PORT` of the SIP server. */
  readonly sip: string;
  readonly child: ChildProcess;
  /** Everything the event socket said so far. */
  readonly events: readonly GatewayEvent[];
  /** Everything on standard error so far. */
  log(): string;
  ofType<T extends EventType>(type: T): readonly Extract<GatewayEvent, { type: T }>[];
  /** Resolves once `holds` does, looked at after each event. @throws after `withinMs`. */
  until(what: string, holds: () => boolean, withinMs?: number): Promise<void>;
  /** SIGTERM; resolves with the exit code and how long it took. */
  stop(): Promise<{ code: number | null; tookMs: number }>;
}

/** `hamsa-gateway serve` as its users run it: a child process of the built program, followed over its event socket. */
export async function serveGateway(env: Readonly<Record<string, string>>): Promise<ServedGateway> {
  const cli = new URL('../../dist/cli.js', import.meta.url).pathname;
  const data = mkdtempSync(join(tmpdir(), 'served-gateway-'));
  const child = spawn(process.execPath, [cli, 'serve'], {
    env: {
      PATH: process.env['PATH'],
      GATEWAY_HTTP: '127.0.0.1:0',
      GATEWAY_SIP: '127.0.0.1:0/udp',
      GATEWAY_RTP_PORTS: '0',
      GATEWAY_LOG_LEVEL: 'debug',
      GATEWAY_DATA: data,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit') as Promise<[number | null]>;
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const lines = createInterface(child.stdout);
  const first = await Promise.race([once(lines, 'line') as Promise<[string]>, exited.then(() => undefined)]);
  if (!first) throw new Error(`serve exited before it was ready:\n${log}`);
  const ready = JSON.parse(first[0]) as { http: string; sip: string[] };

  const events: GatewayEvent[] = [];
  let wake = (): void => {};
  const socket = new WebSocket(`${ready.http.replace('http', 'ws')}/v1/events`, {
    headers: env['GATEWAY_TOKEN'] === undefined ? {} : { authorization: `Bearer ${env['GATEWAY_TOKEN']}` },
  });
  socket.on('error', () => {});
  socket.on('message', (data) => {
    events.push(JSON.parse((data as Buffer).toString()) as GatewayEvent);
    wake();
  });
  await once(socket, 'open');

  return {
    http: ready.http,
    sip: ready.sip[0]!.replace(/^sip:/, ''),
    child,
    events,
    log: () => log,
    ofType: (type) => events.filter((event): event is never => event.type === type),
    async until(what, holds, withinMs = 20_000) {
      const deadline = AbortSignal.timeout(withinMs);
      while (!holds()) {
        await new Promise<void>((resolve, reject) => {
          const fail = (): void =>
            reject(
              new Error(
                `${what} did not happen within ${withinMs} ms; events:\n${events.map((e) => JSON.stringify(e)).join('\n')}\n${log}`,
              ),
            );
          deadline.addEventListener('abort', fail, { once: true });
          wake = () => {
            deadline.removeEventListener('abort', fail);
            resolve();
          };
        });
      }
    },
    async stop() {
      const startedMs = performance.now();
      child.kill('SIGTERM');
      const [code] = await exited;
      socket.terminate();
      lines.close();
      rmSync(data, { recursive: true, force: true });
      return { code, tookMs: performance.now() - startedMs };
    },
  };
}
