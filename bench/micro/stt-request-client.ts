/** Child of `stt-request.ts`: makes requests one after the other, in one way, and says what they cost it. */
import { RealtimeAuth } from '../../src/platform/realtime-auth.ts';
import { RealtimeConnection, RealtimeCounters } from '../../src/platform/realtime-connection.ts';
import { buildSttRequest } from '../../src/platform/stt-request.ts';
import { systemClock } from '../../src/core/clock.ts';
import { encodeWav } from '../../src/audio/wav.ts';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { RequestJob } from './stt-request.ts';

const SAMPLE_RATE = 16_000;
const LANGUAGE = 'ar';

async function asTheGateway(url: string): Promise<(pcm: Int16Array) => Promise<unknown>> {
  const auth = new RealtimeAuth('key-of-a-bench');
  const connection = await RealtimeConnection.open({
    url,
    auth,
    clock: systemClock,
    counters: new RealtimeCounters(),
  });
  return (pcm) =>
    connection.transcribe(buildSttRequest(pcm, SAMPLE_RATE, { language: LANGUAGE, format: 'linear16-16000' }));
}

/** What a client is that nobody has thought about. */
async function plainly(url: string): Promise<(pcm: Int16Array) => Promise<unknown>> {
  const socket = new WebSocket(url);
  await once(socket, 'open');
  return (pcm) => {
    const { buffer, byteOffset, length } = encodeWav(pcm, SAMPLE_RATE);
    const audioBase64 = Buffer.from(buffer, byteOffset, length).toString('base64');
    const payload = { audioBase64, language: LANGUAGE, isEosEnabled: false };
    socket.send(JSON.stringify({ type: 'stt', payload }));
    return once(socket, 'message');
  };
}

async function measure({ url, way, seconds, warmUpRequests, requests }: RequestJob): Promise<void> {
  const request = await (way === 'gateway' ? asTheGateway(url) : plainly(url));
  const pcm = Int16Array.from({ length: seconds * SAMPLE_RATE }, (_, sample) => Math.imul(sample, 2_654_435_761) >> 20);
  for (let index = 0; index < warmUpRequests; index++) await request(pcm);
  const before = process.cpuUsage();
  for (let index = 0; index < requests; index++) await request(pcm);
  const { user, system } = process.cpuUsage(before);
  process.send?.((user + system) / requests);
}

process.on('message', (job: RequestJob) => void measure(job));
process.on('disconnect', () => process.exit());
