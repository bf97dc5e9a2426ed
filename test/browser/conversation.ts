import * as assert from 'uvu/assert';
import { SENTENCES } from '../local-platform/sound.ts';
import type { SdkPage, TalkOptions } from './sdk-page.ts';

const [STATEMENT, QUESTION, TOOL_ANSWER] = [SENTENCES[4]!, SENTENCES[2]!, SENTENCES[5]!];
const SILENT_RMS = 0.001;
const LOUD_RMS = 0.02;
/** From the message to silence. A busy machine's page takes its time; more than a second of the answer would be left. */
const SILENCED_WITHIN_MS = 400;

/** A statement, and over the agent's answer to it a question that calls a tool of the page. */
export function microphone(): Int16Array {
  const beforeMs = 1000;
  // The statement has ended after 600 ms, and the answer is 2.6 s long.
  const betweenMs = 1800;
  const second = 16 * (beforeMs + betweenMs) + STATEMENT.pcm.length;
  const pcm = new Int16Array(second + QUESTION.pcm.length + 16 * 10_000);
  pcm.set(STATEMENT.pcm, 16 * beforeMs);
  pcm.set(QUESTION.pcm, second);
  return pcm;
}

/** Holds the conversation and checks all that the page saw and heard of it. */
export async function converse(page: SdkPage, urls: Omit<TalkOptions, 'agentId' | 'toolAnswer'>): Promise<void> {
  await page.talk({ ...urls, agentId: 'agent-1', toolAnswer: TOOL_ANSWER.text });
  await page.until('callStarted');
  assert.is((await page.until('transcription')).value, STATEMENT.text);
  const interrupted = await page.until('answer', 2);
  assert.is(interrupted.value, STATEMENT.text);
  const speaking = await page.until('speaking');

  const listening = await page.until('listening');
  const clear = page.frames.find(({ from, text }) => from === 'agent' && eventOf(text) === 'clear');
  assert.ok(clear, 'the agent sent clear');
  assert.is((await page.until('transcription', 2)).value, QUESTION.text);
  assert.equal((await page.until('tool')).value, ['u-7', QUESTION.text]);
  const answer = await page.until('answer', 3);
  assert.is(answer.value, TOOL_ANSWER.text);
  await page.until('speaking', 2);
  await page.until('listening', 2);

  const levels = await page.levels();
  const loudest = (fromMs: number, toMs: number): number => {
    const measured = levels.filter(({ at }) => at >= fromMs && at < toMs).map(({ rms }) => rms);
    assert.ok(measured.length > 5, 'the page measured');
    return Math.max(...measured);
  };
  assert.ok(loudest(speaking.at, listening.at) > LOUD_RMS, 'the answer is heard');
  assert.ok(loudest(clear.at + SILENCED_WITHIN_MS, answer.at) < SILENT_RMS, 'then it is silent');
  assert.ok(loudest(answer.at, Date.now()) > LOUD_RMS, 'and the next answer is heard');

  await page.end();
  await page.until('callEnded');
  await page.until('closed');
  const { status, transcription } = await page.jobDetails();
  assert.is(status, 'COMPLETED');
  assert.equal(transcription, [
    { Agent: 'Hello! How can I help you today?' },
    { User: STATEMENT.text },
    { Agent: STATEMENT.text },
    { User: QUESTION.text },
    { Agent: TOOL_ANSWER.text },
  ]);
  const errors = (await page.events()).filter(({ type }) => type === 'error');
  assert.equal(errors, []);
}

function eventOf(text: string): unknown {
  return (JSON.parse(text) as { event?: unknown }).event;
}
