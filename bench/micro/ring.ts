/**
 * Hands 320-byte frames from one thread to another through the mirrored ring, its twin and npm `ringbuf.js`.
 *
 * `node --import tsx bench/micro/ring.ts [--json FILE]`
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { NativeRing } from '../../src/audio/native-ring.ts';
import { Ring } from '../../src/audio/ring.ts';
import { loadAddon } from '../../src/core/addon.ts';
import {
  describeMachine,
  installedVersion,
  jsonFileOption,
  percentile,
  printMachine,
  writeJson,
} from '../support/report.ts';
import type { ProducerData, RingJob } from './ring-producer.ts';

const FRAME_SAMPLES = 160;
/** Over 3,000 frames: a thread that is not scheduled for a while seldom stops the other. */
const CAPACITY_SAMPLES = 2 ** 19;
const FRAMES = 400_000;
/** Frames that are timed together. The median block is one that nothing interrupted. */
const BLOCK_FRAMES = 1000;
const ROUNDS = 5;

interface Reader {
  /** Samples that are certainly there. */
  available(): number;
  /** Looks at the next frame and gives its room back. @returns its first and last sample, which are alike. */
  read(): number;
}

function check(frame: Int16Array): number {
  const first = frame[0]! & 0xffff;
  return first === (frame[FRAME_SAMPLES - 1]! & 0xffff) ? first : -1;
}

async function ringOf(kind: RingJob['kind']): Promise<{ job: RingJob; reader: Reader }> {
  if (kind === 'ringbuf.js') {
    const { RingBuffer } = await import('ringbuf.js');
    const buffer = RingBuffer.getStorageForCapacity(CAPACITY_SAMPLES, Int16Array);
    const ring = new RingBuffer(buffer, Int16Array);
    const frame = new Int16Array(FRAME_SAMPLES);
    const read = (): number => {
      ring.pop(frame);
      return check(frame);
    };
    return { job: { kind, buffer }, reader: { available: () => ring.availableRead(), read } };
  }
  const ring =
    kind === 'native'
      ? NativeRing.create(loadAddon().addon!, { capacitySamples: CAPACITY_SAMPLES })
      : new Ring({ capacitySamples: CAPACITY_SAMPLES, shared: true });
  let start = 0;
  const read = (): number => {
    const seen = check(ring.view(start, start + FRAME_SAMPLES));
    start += FRAME_SAMPLES;
    ring.release(start);
    return seen;
  };
  return { job: { kind, handle: ring.handle } as RingJob, reader: { available: () => ring.headSample - start, read } };
}

/** Nanoseconds a frame in the median block. */
async function transfer(kind: RingJob['kind']): Promise<number> {
  const { job, reader } = await ringOf(kind);
  const module = JSON.stringify(new URL('./ring-producer.ts', import.meta.url).href);
  const worker = new Worker(`import('tsx/esm/api').then(({ tsImport }) => tsImport(${module}, ${module}))`, {
    eval: true,
    workerData: { job, frames: FRAMES, frameSamples: FRAME_SAMPLES } satisfies ProducerData,
  });
  await once(worker, 'message');
  worker.postMessage('go');
  const blocks: number[] = [];
  let start = process.hrtime.bigint();
  for (let index = 0; index < FRAMES; ) {
    for (let available = reader.available(); available >= FRAME_SAMPLES; available -= FRAME_SAMPLES) {
      if (reader.read() !== (index & 0xffff)) throw new Error(`Expected frame ${index} through the ${kind} ring`);
      index += 1;
      if (index % BLOCK_FRAMES !== 0) continue;
      const end = process.hrtime.bigint();
      blocks.push(Number(end - start) / BLOCK_FRAMES);
      start = end;
    }
  }
  await worker.terminate();
  return percentile(
    blocks.sort((a, b) => a - b),
    0.5,
  );
}

const machine = describeMachine();
printMachine(machine);
const kinds: RingJob['kind'][] = ['twin'];
const { addon, problem } = loadAddon();
if (addon) kinds.push('native');
else console.log(`native ring: not measured, ${problem.found}`);
const peerVersion = installedVersion('ringbuf.js');
if (peerVersion === undefined) console.log('ringbuf.js: not measured, not installed');
else kinds.push('ringbuf.js');

const rounds = new Map<RingJob['kind'], number[]>(kinds.map((kind) => [kind, []]));
for (let round = 0; round < ROUNDS; round++) for (const kind of kinds) rounds.get(kind)!.push(await transfer(kind));
const nanoseconds = Object.fromEntries(kinds.map((kind) => [kind, Math.min(...rounds.get(kind)!)]));
for (const kind of kinds) {
  const all = rounds
    .get(kind)!
    .map((ns) => ns.toFixed(0))
    .join(' ');
  console.log(`${kind}: ${nanoseconds[kind]!.toFixed(1)} ns a frame (rounds: ${all})`);
}
const peer = nanoseconds['ringbuf.js'];
const ratio = peer === undefined || nanoseconds['native'] === undefined ? undefined : nanoseconds['native'] / peer;
if (ratio !== undefined) console.log(`native / ringbuf.js: ${ratio.toFixed(2)} (goal 0.50)`);
writeJson(jsonFileOption(), { bench: 'ring', machine, peerVersion, nanoseconds, ratio });
