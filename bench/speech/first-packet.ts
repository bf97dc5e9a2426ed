/**
 * Own latency of a reply: from the first byte of speech on the platform's socket to the first RTP packet with it at the
 * caller's. A whole gateway in a process of its own, a real call, and a platform that delivers 1.7 times as fast as is
 * played, in pieces of several sizes.
 *
 * `npm run build && node --import tsx bench/speech/first-packet.ts [--replies 60] [--transport http|socket]
 * [--json FILE]`. Exits 1 when the goal is missed.
 */
import { parseArgs } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';
import { Phone } from '../../src/apps/phone.ts';
import { systemClock } from '../../src/core/clock.ts';
import { ScriptedPlatform } from '../../test/support/scripted-platform.ts';
import { serveGateway } from '../../test/support/serve.ts';
import { describeMachine, percentile, printMachine, writeJson } from '../support/report.ts';

const GOAL_P95_MS = 40;
const BYTES_PER_MS = 32;
const SPEED = 1.7;
/** Of a reply; it is stopped as soon as it is heard. */
const AUDIO_MS = 1500;
/** Long enough for the line to be silent again. */
const BETWEEN_MS = 150;

interface Pattern {
  readonly name: string;
  readonly firstMs: number;
  readonly pieceMs: number;
}

const PATTERNS: readonly Pattern[] = [
  { name: '400 ms at once, then pieces of 100 ms', firstMs: 400, pieceMs: 100 },
  { name: 'pieces of 100 ms', firstMs: 100, pieceMs: 100 },
  { name: 'pieces of 20 ms', firstMs: 20, pieceMs: 20 },
];

const { values } = parseArgs({
  options: {
    replies: { type: 'string', default: '60' },
    transport: { type: 'string', default: 'http' },
    json: { type: 'string' },
  },
});
const replies = Number(values.replies);
const machine = describeMachine();
printMachine(machine);

const audio = Buffer.alloc(AUDIO_MS * BYTES_PER_MS);
for (let at = 0; at < audio.length; at += 2) audio.writeInt16LE(Math.round(8000 * Math.sin(at / 7)), at);

const platform = await ScriptedPlatform.start();
let pattern = PATTERNS[0]!;
let firstByteMs = 0;

/** Sends the speech as the pattern has it. */
function deliver(write: (piece: Buffer) => void, end: () => void, isGone: () => boolean): void {
  firstByteMs = performance.now();
  let sentMs = 0;
  const next = (): void => {
    if (isGone()) return;
    const pieceMs = sentMs === 0 ? pattern.firstMs : pattern.pieceMs;
    write(audio.subarray(sentMs * BYTES_PER_MS, (sentMs + pieceMs) * BYTES_PER_MS));
    sentMs += pieceMs;
    if (sentMs >= AUDIO_MS) end();
    else setTimeout(next, firstByteMs + (sentMs - pattern.firstMs + pattern.pieceMs) / SPEED - performance.now());
  };
  next();
}

platform.onTts = ({ response }) => {
  response.writeHead(200, { 'content-type': 'audio/wav' });
  deliver(
    (piece) => response.write(piece),
    () => response.end(),
    () => response.destroyed,
  );
};
platform.onSocketTts = (_, connection) => {
  connection.sendFrame('ack');
  deliver(
    (piece) => connection.sendAudio(piece),
    () => connection.sendFrame('end'),
    () => connection.socket.readyState !== connection.socket.OPEN,
  );
};

const gateway = await serveGateway({
  HAMSA_API_KEY: 'bench',
  HAMSA_BASE_URL: platform.baseUrl,
  HAMSA_REALTIME_QUOTA: '100000',
  HAMSA_TTS_TRANSPORT: values.transport,
  GATEWAY_ON_CALL: 'app',
  GATEWAY_LOG_LEVEL: 'warn',
});
const phone = new Phone(systemClock);
await phone.call(`sip:app@${gateway.sip}`);
await gateway.until('the answer', () => gateway.ofType('call.answered').length > 0);
const { callId } = gateway.ofType('call.answered')[0]!;

async function command(name: string, body: object): Promise<void> {
  const response = await fetch(`${gateway.http}/v1/calls/${callId}/${name}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${name} was answered ${response.status}: ${await response.text()}`);
}

/** @returns how long the first packet of a reply took, in ms. */
async function measure(text: string): Promise<number> {
  const askedMs = performance.now();
  await command('speak', { text, interruptible: false });
  // Every packet moves `lastSpeechMs`: looked at more often than they come, it is the time of the first.
  while (phone.lastSpeechMs < askedMs) await sleep(4);
  const tookMs = phone.lastSpeechMs - firstByteMs;
  await command('stop', {});
  await sleep(BETWEEN_MS);
  return tookMs;
}

const results: object[] = [];
let isMissed = false;
for (pattern of PATTERNS) {
  for (let warmUp = 0; warmUp < 5; warmUp++) await measure(`Warming up for ${pattern.name}, take ${warmUp}.`);
  const times: number[] = [];
  for (let reply = 0; reply < replies; reply++) times.push(await measure(`This is reply ${reply} of ${pattern.name}.`));
  times.sort((a, b) => a - b);
  const [p50, p95, max] = [percentile(times, 0.5), percentile(times, 0.95), times.at(-1) ?? Number.NaN];
  console.log(
    `${pattern.name.padEnd(40)} n ${times.length}  p50 ${p50.toFixed(1)} ms  p95 ${p95.toFixed(1)} ms  max ${max.toFixed(1)} ms`,
  );
  isMissed ||= p95 > GOAL_P95_MS;
  results.push({ pattern, n: times.length, p50, p95, max });
}
writeJson(values.json, { machine, transport: values.transport, goalP95Ms: GOAL_P95_MS, results });
await phone.hangup();
await gateway.stop();
await platform.close();
process.exitCode = isMissed ? 1 : 0;
if (isMissed) console.log(`missed the goal of ${GOAL_P95_MS} ms`);
