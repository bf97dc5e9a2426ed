/** Worker of the cross-thread test: reads the whole sequence through its own view of the ring. */
import { parentPort, workerData } from 'node:worker_threads';
import { NativeRing, type NativeRingHandle } from '../../src/audio/native-ring.ts';
import { loadAddon } from '../../src/core/addon.ts';
import { makeRandom } from '../audio/prng.ts';
import { mismatches } from '../audio/ring-sequence.ts';

const { handle, totalSamples, seed } = workerData as { handle: NativeRingHandle; totalSamples: number; seed: number };

const ring = NativeRing.attach(loadAddon().addon!, handle);
const random = makeRandom(seed);
parentPort?.postMessage('ready');
const deadlineMs = performance.now() + 20_000;
let wrong = 0;

while (ring.tailSample < totalSamples && performance.now() < deadlineMs) {
  const start = ring.tailSample;
  const available = ring.headSample - start;
  if (available === 0) continue;
  const end = start + 1 + Math.floor(random() * available);
  wrong += mismatches(ring.view(start, end), start);
  ring.release(end);
}

parentPort?.postMessage({ readSamples: ring.tailSample, wrong });
