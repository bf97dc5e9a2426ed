import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeWav } from '../../src/audio/wav.ts';
import { makeContent, sentencesOf } from '../../src/local-platform/jobs/ai-content.ts';
import { splitSpeech } from '../../src/local-platform/jobs/split-speech.ts';
import { HamsaClient } from '../../src/platform/rest/hamsa-client.ts';
import type { Job } from '../../src/platform/rest/groups/jobs.ts';
import type { PlatformError } from '../../src/platform/platform-errors.ts';
import { needs } from '../support/needs.ts';
import { rejection } from '../support/until.ts';
import { KEY, startPlatform, type TestPlatform, until } from './platform.ts';
import { Receiver } from './receiver.ts';
import { padded, recordingOf, SENTENCES } from './sound.ts';

interface World {
  platform: TestPlatform;
  receiver: Receiver;
  client: HamsaClient;
}

const test = suite<World>('jobs');
test.before(async (world) => {
  world.platform = await startPlatform({ allowPrivateUrls: true, apiQuota: 10_000 });
  world.receiver = await Receiver.start();
  world.client = new HamsaClient({ apiKey: KEY, baseUrl: world.platform.url });
});
test.after(async ({ client, receiver, platform }) => {
  await client.close();
  await receiver.close();
  await platform.close();
});

test('a job goes from pending over processing to completed, and its webhook is told', async ({ client, receiver }) => {
  const speech = padded(recordingOf(2), 200, 800);
  receiver.answer = ({ url }) => (url === '/a.wav' ? { body: encodeWav(speech, 16_000) } : {});
  const body = { mediaUrl: `${receiver.url}/a.wav`, webhookUrl: `${receiver.url}/done` };
  const started = await client.jobs.transcribe(body);
  assert.equal([started.status, started['progress']], ['PENDING', 0]);
  const seen: Job[] = [];
  const done = await client.jobs.waitFor(started.id, { onProgress: (job) => seen.push(job) });
  assert.equal(done.jobResponse, { text: SENTENCES[2]!.text, durationMs: Math.round(speech.length / 16) });
  const progress = seen.map((job) => Number(job['progress']));
  assert.equal(
    progress,
    [...progress].sort((a, b) => a - b),
  );
  assert.is(progress.at(-1), 100);
  await until('the webhook', () => receiver.received.some(({ url }) => url === '/done'));
  const told = JSON.parse(receiver.received.find(({ url }) => url === '/done')!.body) as {
    eventType: string;
    jobId: string;
  };
  assert.equal([told.eventType, told.jobId], ['job.completed', started.id]);
});

test('media of minutes is transcribed in pieces that end where it is quiet', async ({ client, receiver }) => {
  const pause = new Int16Array(24_000);
  const parts = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((index) => [recordingOf(index), pause]);
  const whole = Int16Array.from([...parts, ...parts].flatMap((part) => [...part]));
  assert.ok(whole.length > 60 * 16_000);
  const pieces = splitSpeech(whole, 16_000);
  assert.ok(pieces.length >= 3);
  assert.ok(pieces.every((piece) => piece.length <= 25 * 16_000));
  assert.is(
    pieces.reduce((sum, { length }) => sum + length, 0),
    whole.length,
  );
  for (const piece of pieces.slice(0, -1)) assert.ok(piece.subarray(-800).every((sample) => Math.abs(sample) < 100));
  receiver.answer = () => ({ body: encodeWav(whole, 16_000) });
  const { id } = await client.jobs.transcribe({ mediaUrl: receiver.url });
  const { jobResponse } = await client.jobs.waitFor(id);
  const all = SENTENCES.map(({ text }) => text).join(' ');
  assert.is((jobResponse as { text: string }).text, `${all} ${all}`);
});

if (needs('a job reads what is no WAV', 'ffmpeg')) {
  test('stereo at another rate is read by ffmpeg', async ({ client, receiver }) => {
    const pcm = recordingOf(3);
    // Each sample three times for 48 kHz, once for each ear.
    const wide = Int16Array.from({ length: pcm.length * 6 }, (_, i) => pcm[Math.floor(i / 6)]!);
    const wav = encodeWav(wide, 48_000);
    const view = new DataView(wav.buffer, wav.byteOffset);
    view.setUint16(22, 2, true);
    view.setUint32(28, 48_000 * 4, true);
    view.setUint16(32, 4, true);
    receiver.answer = () => ({ body: wav });
    const { id } = await client.jobs.transcribe({ mediaUrl: receiver.url });
    assert.is(((await client.jobs.waitFor(id)).jobResponse as { text: string }).text, SENTENCES[3]!.text);
  });
}

test('what can not be done fails and says why', async ({ client, receiver }) => {
  const failure = async (job: Promise<Job>): Promise<string> => {
    const error = (await rejection(client.jobs.waitFor((await job).id))) as PlatformError;
    assert.is(error.code, 'ERR_PLATFORM_JOB');
    return String((error.details as Job)['error']);
  };
  receiver.answer = ({ url }) => (url === '/gone' ? { status: 404 } : { body: 'this is no audio' });
  assert.match(await failure(client.jobs.transcribe({ mediaUrl: `${receiver.url}/gone` })), 'answered 404');
  assert.match(await failure(client.jobs.transcribe({ mediaUrl: receiver.url })), 'can not be read');
  assert.match(await failure(client.jobs.transcribe({ mediaUrl: 'file:///etc/passwd' })), 'may not be called');
  assert.match(
    await failure(client.jobs.textToSpeech({ text: 'Nobody recorded this.', voiceId: 'v' })),
    'built-in voice',
  );
  const page = await client.jobs.list({ status: 'failed' });
  assert.is(page.items.length, 4);
});

test('documents are made of the sentences and words of a text', () => {
  const text = 'The train to Riyadh is late. The train leaves at nine! Does it stop? Nobody knows.';
  assert.equal(sentencesOf(text).length, 4);
  assert.equal(sentencesOf('أين القطار؟ تأخر القطار.'), ['أين القطار؟', 'تأخر القطار.']);
  assert.equal(makeContent(text, undefined), {
    title: 'The train to Riyadh is late.',
    summary: 'The train to Riyadh is late. The train leaves at nine! Does it stop?',
    keywords: ['train', 'riyadh', 'late', 'leaves', 'nine', 'does', 'stop', 'nobody', 'knows'],
  });
  assert.equal(makeContent(text, ['full_transcript']), { full_transcript: text });
});

test.run();
