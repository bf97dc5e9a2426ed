import * as assert from 'uvu/assert';
import type { Sentence } from '../../src/local-platform/engines/sentences.ts';
import { SENTENCES } from '../local-platform/sound.ts';
import type { PageEvent, SdkPage } from './sdk-page.ts';

export const FIRST: Sentence = SENTENCES[4]!;
export const SECOND: Sentence = SENTENCES[5]!;
/** From the break to what the page is told of it. */
export const PROMPT_MS = 1000;
const LOUD_RMS = 0.02;

/** Two statements, the second `afterMs` after the first. It begins anew whenever the microphone is opened. */
export function microphone(afterMs: number): Int16Array {
  const second = 16 * (1000 + afterMs) + FIRST.pcm.length;
  const pcm = new Int16Array(second + SECOND.pcm.length + 16 * 30_000);
  pcm.set(FIRST.pcm, 16_000);
  pcm.set(SECOND.pcm, second);
  return pcm;
}

export async function ofType(page: SdkPage, type: string): Promise<PageEvent[]> {
  return (await page.events()).filter((event) => event.type === type);
}

/** What the page was told of the link, in order. */
export async function linkStates(page: SdkPage): Promise<unknown[]> {
  const infos = (await ofType(page, 'info')).map(({ value }) => value as { type?: unknown; state?: unknown });
  return infos.filter(({ type }) => type === 'link').map(({ state }) => state);
}

/** Waits until the page is told so. @returns when, in wall-clock milliseconds. */
export async function untilLink(page: SdkPage, state: string, withinMs: number): Promise<number> {
  const deadlineMs = Date.now() + withinMs;
  for (let infos = 1; ; infos++) {
    const info = await page.until('info', infos, Math.max(1, deadlineMs - Date.now()));
    if ((info.value as { state?: unknown }).state === state) return info.at;
  }
}

/** Fails unless the agent was heard since `fromMs` of the wall clock. */
export async function assertHeardSince(page: SdkPage, fromMs: number): Promise<void> {
  const levels = (await page.levels()).filter(({ at }) => at >= fromMs).map(({ rms }) => rms);
  assert.ok(Math.max(...levels) > LOUD_RMS, 'the agent is heard');
}

/** Waits until the agent has answered `said` for the `count`-th time that the page was answered, and was heard. */
export async function untilAnswered(page: SdkPage, said: Sentence, count: number): Promise<void> {
  assert.is((await page.until('transcription', count - 1)).value, said.text);
  const answer = await page.until('answer', count);
  assert.is(answer.value, said.text);
  await page.until('listening', (await ofType(page, 'listening')).length + 1);
  await assertHeardSince(page, answer.at);
}

export async function assertNothingUncaught(page: SdkPage): Promise<void> {
  assert.equal(page.errors, [], 'errors of the console');
  for (const type of ['error', 'unhandled']) assert.equal(await ofType(page, type), []);
}
