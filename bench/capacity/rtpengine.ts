/** Debian's rtpengine as a peer of `calls.ts`: forwarding in user space, PCMU transcoded to PCMA. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as pass } from 'node:timers/promises';
import { endChild } from '../support/child.ts';

const HOST = '127.0.0.1';
const CONTROL_PORT = 22_222;
const ANSWER_TIMEOUT_MS = 2000;
const START_ATTEMPTS = 50;

type Bencoded = string | readonly Bencoded[] | { readonly [key: string]: Bencoded };

function bencode(value: Bencoded): string {
  if (typeof value === 'string') return `${Buffer.byteLength(value)}:${value}`;
  if (Array.isArray(value)) return `l${value.map(bencode).join('')}e`;
  const entries = Object.entries(value as Readonly<Record<string, Bencoded>>);
  return `d${entries.map(([key, item]) => bencode(key) + bencode(item)).join('')}e`;
}

/** A string member of a bencoded dictionary; rtpengine's answers name each only once. */
function stringOf(dictionary: string, key: string): string | undefined {
  const found = new RegExp(`${key.length}:${key}(\\d+):`).exec(dictionary);
  if (!found) return undefined;
  const start = found.index + found[0].length;
  return dictionary.slice(start, start + Number(found[1]));
}

function sdp(port: number, payloadType: number, encoding: string): string {
  return [
    'v=0',
    `o=- 1 1 IN IP4 ${HOST}`,
    's=-',
    `c=IN IP4 ${HOST}`,
    't=0 0',
    `m=audio ${port} RTP/AVP ${payloadType}`,
    `a=rtpmap:${payloadType} ${encoding}/8000`,
    '',
  ].join('\r\n');
}

export class Rtpengine {
  readonly version: string;
  readonly #process: ChildProcess;
  readonly #control: Socket;
  #cookies = 0;

  private constructor(version: string, child: ChildProcess, control: Socket) {
    this.version = version;
    this.#process = child;
    this.#control = control;
  }

  /** @returns undefined when it is not installed. */
  static async start(): Promise<Rtpengine | undefined> {
    const found = spawnSync('rtpengine', ['--version'], { encoding: 'utf8' });
    const version = /Version: (\S+)/.exec(`${found.stdout}${found.stderr}`)?.[1];
    if (version === undefined) return undefined;
    const control = createSocket('udp4').unref();
    control.bind(0, HOST);
    await once(control, 'listening');
    const options = ['--foreground', '--log-stderr', '--log-level=2', '--table=-1', `--interface=${HOST}`];
    const ports = [`--listen-ng=${HOST}:${CONTROL_PORT}`, '--port-min=40000', '--port-max=60000'];
    const child = spawn('rtpengine', [...options, ...ports], { stdio: ['ignore', 'ignore', 'ignore'] });
    const rtpengine = new Rtpengine(version, child, control);
    for (let attempt = 0; attempt < START_ATTEMPTS; attempt++) {
      await pass(100);
      if (child.exitCode !== null) throw new Error(`rtpengine ended with ${child.exitCode}`);
      if ((await rtpengine.#ask({ command: 'ping' }).catch(() => '')).includes('pong')) return rtpengine;
    }
    throw new Error('Expected an answer of rtpengine');
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** Sets a call up whose both sides are at `port`. @returns the port that takes PCMU and answers from another in PCMA. */
  async call(port: number): Promise<number> {
    const call = { 'call-id': `call-${port}`, 'from-tag': 'caller', ICE: 'remove' };
    const codec = { mask: ['PCMU'], transcode: ['PCMA'] };
    await this.#ask({ command: 'offer', ...call, codec, sdp: sdp(port, 0, 'PCMU') });
    const answer = await this.#ask({ command: 'answer', ...call, 'to-tag': 'callee', sdp: sdp(port, 8, 'PCMA') });
    const media = /m=audio (\d+) /.exec(stringOf(answer, 'sdp') ?? '');
    if (!media) throw new Error(`Expected an answer with a port but received ${answer}`);
    return Number(media[1]);
  }

  async stop(): Promise<void> {
    this.#control.close();
    await endChild(this.#process);
  }

  async #ask(command: Readonly<Record<string, Bencoded>>): Promise<string> {
    const cookie = String(++this.#cookies);
    this.#control.send(`${cookie} ${bencode(command)}`, CONTROL_PORT, HOST);
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    for (;;) {
      const [message] = (await once(this.#control, 'message', { signal })) as [Buffer];
      const answer = message.toString();
      if (!answer.startsWith(`${cookie} `)) continue;
      const reason = stringOf(answer, 'error-reason');
      if (reason !== undefined) throw new Error(`rtpengine refused: ${reason}`);
      return answer;
    }
  }
}
