import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FliteVoice } from '../../src/local-platform/engines/flite.ts';
import { findProgram } from '../../src/local-platform/engines/programs.ts';
import { isUnfinished } from '../../src/local-platform/end-of-speech.ts';
import { needs } from '../support/needs.ts';
import { withPlatform } from './platform.ts';
import { SocketClient } from './socket-client.ts';
import { overTelephone, wav16 } from './sound.ts';

const test = suite('end of speech');

test('takes an utterance that ends with a word that calls for another one for unfinished', () => {
  for (const text of ['i would like to', 'My flight leaves at seven and', 'the', 'it is because …']) {
    assert.ok(isUnfinished(text), text);
  }
  for (const text of ['', 'yes', 'I want two', 'my computer will not connect to the internet', 'come to.me', '123']) {
    assert.not(isUnfinished(text), text);
  }
});

const thinking = 'answers [THINKING] to an unfinished utterance only with isEosEnabled';
if (needs(thinking, 'pocketsphinx_batch', 'flite')) {
  test(thinking, () =>
    withPlatform(
      async ({ url }) => {
        const flite = new FliteVoice({ flite: findProgram('flite')!, espeak: undefined });
        const { pcm } = await flite.speak('My computer will not connect to the', new AbortController().signal);
        const client = await SocketClient.greeted(url);
        const audioBase64 = wav16(pcm);
        assert.match(String(await client.transcribe({ audioBase64, isEosEnabled: false })), /connect to the$/);
        assert.is(await client.transcribe({ audioBase64, isEosEnabled: true }), '[THINKING]');
        const answer = await client.transcribe({
          audioBase64: wav16(overTelephone(pcm.subarray(0, 0))),
          isEosEnabled: true,
        });
        assert.is(answer, '');
        await client.close();
      },
      { engines: 'auto' },
    ),
  );
}

test.run();
