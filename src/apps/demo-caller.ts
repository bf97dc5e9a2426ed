import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { Resampler } from '../audio/resampler.ts';
import { parseWav, wavToPcm } from '../audio/wav.ts';
import { WavWriter } from '../audio/wav-writer.ts';
import { systemClock } from '../core/clock.ts';
import { toError } from '../core/errors.ts';
import { Phone } from './phone.ts';

/**
 * The caller of the demo, a process of its own: `demo-caller TARGET HEARD.wav SPEECH.wav…`. Says one sentence after the
 * other, each once the reply to the one before was heard, then hangs up and writes what it heard.
 *
 * Exit code 0, or 1 with the reason on standard error.
 */
const SAMPLE_RATE = 8000;
/** A reply is over when nothing was heard for so long. */
const REPLY_OVER_MS = 900;
const REPLY_WITHIN_MS = 30_000;
const POLL_MS = 50;

const [target = '', heardFile = '', ...speechFiles] = process.argv.slice(2);

async function readSpeech(file: string): Promise<Int16Array> {
  const wav = parseWav(await readFile(file));
  return Resampler.resample(wavToPcm(wav), wav.sampleRate, SAMPLE_RATE);
}

/** @returns whether the other side said something and came to an end. */
async function hearReply(phone: Phone, sinceMs: number): Promise<boolean> {
  const deadlineMs = sinceMs + REPLY_WITHIN_MS;
  while (systemClock.nowMs() < deadlineMs && !phone.hungUp) {
    const heardReply = phone.lastSpeechMs > sinceMs;
    if (heardReply && systemClock.nowMs() - phone.lastSpeechMs > REPLY_OVER_MS) return true;
    await sleep(POLL_MS);
  }
  return phone.lastSpeechMs > sinceMs;
}

async function main(): Promise<void> {
  const phone = new Phone(systemClock);
  await phone.call(target);
  const unanswered: string[] = [];
  for (const file of speechFiles) {
    await phone.say(await readSpeech(file));
    if (!(await hearReply(phone, systemClock.nowMs()))) unanswered.push(file);
  }
  const writer = await WavWriter.create(heardFile, { format: 'linear16', sampleRate: SAMPLE_RATE });
  await writer.write(phone.heard);
  await writer.close();
  await phone.hangup();
  if (unanswered.length > 0) throw new Error(`no reply was heard to ${unanswered.join(', ')}`);
}

try {
  await main();
} catch (thrown) {
  process.stderr.write(`demo caller: ${toError(thrown).message}\n`);
  process.exit(1);
}
process.exit(0);
