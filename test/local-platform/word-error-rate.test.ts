// timeout: 300 s
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { needs } from '../support/needs.ts';
import { withPlatform } from './platform.ts';
import { SocketClient } from './socket-client.ts';
import { SENTENCES, ulawWav, wav16 } from './sound.ts';

const test = suite('word error rate');

function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z']+/g) ?? [];
}

/** Words to put in, take out or replace to make one text of the other. */
function wordErrors(reference: readonly string[], heard: readonly string[]): number {
  let row = Array.from({ length: heard.length + 1 }, (_, index) => index);
  for (const [i, word] of reference.entries()) {
    const above = row;
    row = [i + 1];
    for (const [j, other] of heard.entries()) {
      row.push(Math.min(above[j]! + (word === other ? 0 : 1), above[j + 1]! + 1, row[j]! + 1));
    }
  }
  return row.at(-1)!;
}

test('counts the words that differ', () => {
  assert.is(wordErrors(['a', 'b', 'c'], ['a', 'b', 'c']), 0);
  assert.is(wordErrors(['a', 'b', 'c'], ['a', 'x']), 2);
  assert.is(wordErrors(['a'], ['x', 'a', 'y']), 2);
  assert.is(wordErrors(['a', 'b'], []), 2);
});

const FORMATS: readonly (readonly [name: string, encode: (pcm: Int16Array) => string, limit: number])[] = [
  ['16 kHz', wav16, 0.1],
  ['8 kHz mulaw', ulawWav, 0.35],
];

for (const [format, encode, limit] of FORMATS) {
  const name = `pocketsphinx mishears less than ${limit * 100} % of the words of the fixtures at ${format}`;
  if (!needs(name, 'pocketsphinx_batch')) continue;
  test(name, () =>
    withPlatform(
      async ({ url, ears }) => {
        assert.is(ears, 'pocketsphinx');
        const client = await SocketClient.greeted(url);
        let errors = 0;
        let words = 0;
        const misheard: string[] = [];
        for (const { text, pcm } of SENTENCES) {
          const reference = wordsOf(text);
          const heard = String(await client.transcribe({ audioBase64: encode(pcm) }));
          const wrong = wordErrors(reference, wordsOf(heard));
          if (wrong > 0) misheard.push(`  ${wrong} of ${reference.length}: ${text} -> ${heard}`);
          errors += wrong;
          words += reference.length;
        }
        console.log([`${format}: ${((errors * 100) / words).toFixed(1)} %`, ...misheard].join('\n'));
        assert.ok(errors / words < limit, `${errors} of ${words}`);
        await client.close();
      },
      { engines: 'auto' },
    ),
  );
}

test.run();
