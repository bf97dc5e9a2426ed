/** Worker of `ring.ts`: writes frames as fast as the ring takes them. */
import { parentPort, workerData } from 'node:worker_threads';
import { NativeRing, type NativeRingHandle } from '../../src/audio/native-ring.ts';
import { Ring, type RingHandle } from '../../src/audio/ring.ts';
import { loadAddon } from '../../src/core/addon.ts';

/** A ring of one of the three kinds, as a worker receives it. */
export type RingJob =
  | { readonly kind: 'native'; readonly handle: NativeRingHandle }
  | { readonly kind: 'twin'; readonly handle: RingHandle }
  | { readonly kind: 'ringbuf.js'; readonly buffer: SharedArrayBuffer };

export interface ProducerData {
  readonly job: RingJob;
  readonly frames: number;
  readonly frameSamples: number;
}

interface Writer {
  /** Samples that certainly fit. */
  room(): number;
  write(frame: Int16Array): void;
}

async function writerOf(job: RingJob): Promise<Writer> {
  if (job.kind === 'ringbuf.js') {
    const { RingBuffer } = await import('ringbuf.js');
    const ring = new RingBuffer(job.buffer, Int16Array);
    return { room: () => ring.availableWrite(), write: (frame) => ring.push(frame) };
  }
  const ring = job.kind === 'twin' ? Ring.attach(job.handle) : NativeRing.attach(loadAddon().addon!, job.handle);
  return {
    room: () => ring.capacitySamples - (ring.headSample - ring.tailSample),
    write: (frame) => ring.write(frame),
  };
}

const { job, frames, frameSamples } = workerData as ProducerData;
const writer = await writerOf(job);
const frame = new Int16Array(frameSamples);
parentPort?.once('message', () => {
  for (let index = 0; index < frames; ) {
    for (let room = writer.room(); room >= frameSamples && index < frames; room -= frameSamples) {
      frame[0] = index;
      frame[frameSamples - 1] = index;
      writer.write(frame);
      index += 1;
    }
  }
});
parentPort?.postMessage('ready');
