import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { Segmenter, type SegmenterEvent, type SegmenterOptions, type SpeechEnded } from '../../src/speech/segmenter.ts';
import { withSeed } from '../audio/prng.ts';

const test = suite('segmenter');
const RATE = 8000;
const FRAME = 160;

/** Frames of a line: V voiced, . silent; a digit repeats what follows it so many times. */
function frames(pattern: string): boolean[] {
  const line: boolean[] = [];
  for (const [, count, kind] of pattern.replace(/\s/g, '').matchAll(/(\d*)([V.])/g)) {
    for (let n = Number(count || 1); n > 0; n--) line.push(kind === 'V');
  }
  return line;
}

interface Line {
  readonly segmenter: Segmenter;
  /** Each event and the number of frames that were pushed when it came. */
  readonly told: { frame: number; event: SegmenterEvent }[];
  readonly push: (voiced: boolean, loudness?: number) => void;
}

function line(options: Partial<SegmenterOptions> = {}): Line {
  let isVoiced = false;
  let pushed = 0;
  const segmenter = new Segmenter({ sampleRate: RATE, voice: () => isVoiced, ...options });
  const told: Line['told'] = [];
  return {
    segmenter,
    told,
    push(voiced, loudness = 0) {
      isVoiced = voiced;
      const event = segmenter.push(new Int16Array(FRAME).fill(loudness), pushed * FRAME);
      pushed++;
      if (event) told.push({ frame: pushed, event });
    },
  };
}

function run(pattern: string, options: Partial<SegmenterOptions> = {}): Line {
  const made = line(options);
  for (const voiced of frames(pattern)) made.push(voiced);
  return made;
}

const at = (frame: number): number => frame * FRAME;

test('an utterance has 300 ms before its first and after its last voiced frame, decided 500 ms after it', () => {
  const { told, segmenter } = run('50. 20V 40.');
  assert.equal(told, [
    { frame: 53, event: { type: 'started', startSample: at(50 - 15) } },
    {
      frame: 95,
      event: {
        type: 'ended',
        startSample: at(35),
        endSample: at(70 + 15),
        lastVoicedSample: at(70),
        isSpeech: true,
        reason: 'silence',
      },
    },
  ]);
  assert.not(segmenter.isOpen);
});

test('endSilenceMs, preRollMs and postRollMs are kept to, and a tail is no longer than the silence', () => {
  const { told } = run('50. 20V 40.', { endSilenceMs: 200, preRollMs: 100, postRollMs: 400 });
  assert.equal(told[0]?.event, { type: 'started', startSample: at(45) });
  assert.is(told[1]?.frame, 80);
  assert.is((told[1]!.event as SpeechEnded).endSample, at(80));
});

test('a changed end silence counts from the next frame on, for an open utterance too, and bounds its tail', () => {
  const shorter = line({ endSilenceMs: 900 });
  for (const voiced of frames('20. 20V 20.')) shorter.push(voiced);
  assert.is(shorter.told.length, 1);
  shorter.segmenter.endSilenceMs = 200;
  shorter.push(false);
  assert.is(shorter.told[1]?.frame, 61);
  assert.is((shorter.told[1]!.event as SpeechEnded).endSample, at(40 + 10));
  const longer = line({ endSilenceMs: 250 });
  for (const voiced of frames('20. 20V 10.')) longer.push(voiced);
  longer.segmenter.endSilenceMs = 900;
  for (const voiced of frames('40.')) longer.push(voiced);
  assert.is(longer.told[1]?.frame, 85);
  assert.is((longer.told[1]!.event as SpeechEnded).endSample, at(40 + 15));
});

test('a word whose start and end the detector misses by 200 ms is inside with 100 ms to spare', () => {
  // The word lasts from frame 100 to 160; voice activity is seen from 110 to 150.
  const { told } = run('110. 40V 60.');
  const ended = told[1]!.event as SpeechEnded;
  assert.ok(ended.startSample <= at(100) - 800);
  assert.ok(ended.endSample >= at(160) + 800);
});

test('clicks of one and two frames start nothing, three of five do', () => {
  assert.is(run('20. V 20. VV 20. V...V 20. VV... VV... 20.').told.length, 0);
  const { told } = run('20. V.V.V');
  assert.equal(told, [{ frame: 25, event: { type: 'started', startSample: at(5) } }]);
});

test('clicks in a pause do not keep an utterance open', () => {
  const { told } = run('20. 20V 10. V 10. V 10.');
  assert.is(told[1]?.frame, 65);
  assert.is((told[1]!.event as SpeechEnded).lastVoicedSample, at(40));
});

test('a pause shorter than the end silence stays inside', () => {
  const { told } = run('20. 20V 24. 20V 30.');
  assert.is(told.length, 2);
  assert.is((told[1]!.event as SpeechEnded).lastVoicedSample, at(84));
});

test('a blip is told as no speech', () => {
  const { told } = run('20. 4V 30.');
  assert.is((told[1]!.event as SpeechEnded).isSpeech, false);
  const word = run('20. 5V 30.');
  assert.is((word.told[1]!.event as SpeechEnded).isSpeech, true);
});

test('speech in the first frames starts at the first sample', () => {
  const { told } = run('VVV');
  assert.equal(told, [{ frame: 3, event: { type: 'started', startSample: 0 } }]);
});

test('the pre-roll does not reach into the utterance before', () => {
  const { told } = run('20. 20V 25. 10V 30.');
  const first = told[1]!.event as SpeechEnded;
  const second = told[2]?.event;
  assert.is(first.endSample, at(55));
  // 300 ms before frame 65 would be frame 50.
  assert.equal(second, { type: 'started', startSample: at(55) });
});

test('speech without a pause is cut at 15 s, nothing lost and nothing twice', () => {
  const { told } = run('20. 2000V 40.');
  const ended = told.map(({ event }) => event).filter((event) => event.type === 'ended');
  assert.equal(
    ended.map(({ reason }) => reason),
    ['maximum', 'maximum', 'silence'],
  );
  for (const [index, { startSample, endSample }] of ended.entries()) {
    assert.ok(endSample - startSample <= 15 * RATE);
    if (index > 0) assert.is(startSample, ended[index - 1]?.endSample);
  }
  assert.is(ended[0]?.startSample, at(5));
  assert.is(ended.at(-1)?.lastVoicedSample, at(2020));
  assert.is(ended.at(-1)?.endSample, at(2035));
  assert.equal(
    told.map(({ event }) => event.type),
    ['started', 'ended', 'started', 'ended', 'started', 'ended'],
  );
});

test('the cut is at the quietest moment of the last 2.5 s, and not in a quieter one before', () => {
  const made = line();
  for (let frame = 0; frame < 760; frame++) {
    const isBreath = frame >= 680 && frame < 688;
    const isEarlierSilence = frame >= 300 && frame < 310;
    made.push(true, isEarlierSilence ? 0 : isBreath ? 300 : 8000);
  }
  const ended = made.told[1]!.event as SpeechEnded;
  assert.is(ended.reason, 'maximum');
  assert.ok(ended.endSample > at(680) && ended.endSample < at(688), `cut at frame ${ended.endSample / FRAME}`);
  assert.equal(made.told[2]?.event, { type: 'started', startSample: ended.endSample });
});

test('speech that stops before the cut does not start another utterance', () => {
  const made = line();
  // The maximum is reached 400 ms after the last word.
  for (let frame = 0; frame < 730; frame++) made.push(true, 8000);
  for (let frame = 730; frame < 800; frame++) made.push(false, 0);
  assert.equal(
    made.told.map(({ event }) => event.type),
    ['started', 'ended'],
  );
  const ended = made.told[1]!.event as SpeechEnded;
  assert.is(ended.reason, 'maximum');
  assert.is(ended.lastVoicedSample, at(730));
  assert.ok(ended.endSample > at(730));
  // What comes next starts no earlier than the cut, however soon.
  for (let frame = 800; frame < 803; frame++) made.push(true, 8000);
  assert.equal(made.told[2]?.event, { type: 'started', startSample: at(800 - 15) });
});

test('the end of a call ends an open utterance with what was heard of it', () => {
  const { segmenter, told } = run('20. 20V 3.');
  assert.is(told.length, 1);
  assert.equal(segmenter.finish(), [
    {
      type: 'ended',
      startSample: at(5),
      endSample: at(43),
      lastVoicedSample: at(40),
      isSpeech: true,
      reason: 'finished',
    },
  ]);
  assert.equal(segmenter.finish(), []);
});

test('a click right after the end of an utterance starts nothing', () => {
  const made = run('20. 20V');
  made.segmenter.finish();
  made.push(true);
  made.push(false);
  assert.not(made.segmenter.isOpen);
});

test('the end of a call right after a cut tells of both utterances', () => {
  const { segmenter, told } = run('750V');
  assert.equal(
    told.map(({ event }) => event.type),
    ['started', 'ended'],
  );
  const events = segmenter.finish();
  assert.equal(
    events.map(({ type }) => type),
    ['started', 'ended'],
  );
  assert.is(events[1]?.startSample, (told[1]!.event as SpeechEnded).endSample);
  assert.is((events[1] as SpeechEnded).endSample, at(750));
});

test('a capture clock that jumps ends an open utterance where it stopped', () => {
  const { segmenter, told } = run('20. 20V');
  const frame = new Int16Array(FRAME);
  const event = segmenter.push(frame, 1_000_000);
  assert.is(told.length, 1);
  assert.equal(event, {
    type: 'ended',
    startSample: at(5),
    endSample: at(40),
    lastVoicedSample: at(40),
    isSpeech: true,
    reason: 'finished',
  });
  assert.is(segmenter.retainFromSample, 1_000_000);
});

test('retains what may still be needed and no more', () => {
  const made = line();
  for (let frame = 0; frame < 100; frame++) made.push(false);
  // Idle: 300 ms of pre-roll before a start that is seen after 100 ms.
  assert.is(made.segmenter.retainFromSample, at(100 - 20));
  for (let frame = 0; frame < 30; frame++) made.push(true);
  assert.is(made.segmenter.retainFromSample, at(85));
  assert.is(made.segmenter.nextUtteranceFromSample, at(85));
  for (let frame = 0; frame < 25; frame++) made.push(false);
  assert.is(made.segmenter.retainFromSample, at(145));
  for (let frame = 0; frame < 200; frame++) made.push(true);
  // The open utterance may be cut in its last 2.5 s; what lies before is nobody else's.
  assert.is(made.segmenter.retainFromSample, at(145));
  assert.is(made.segmenter.nextUtteranceFromSample, at(355 - 125));
});

test('no utterance ever starts before what was retained, overlaps another or is out of order', () => {
  withSeed((random) => {
    const made = line({ maxUtteranceMs: 5_000 });
    let isVoiced = false;
    let retained = 0;
    let nextFrom = 0;
    let lastEnd = 0;
    let open: number | undefined;
    let voicedFrames = 0;
    let coveredVoiced = 0;
    const voiced: boolean[] = [];
    for (let frame = 0; frame < 20_000; frame++) {
      if (random() < 0.04) isVoiced = !isVoiced;
      voiced.push(isVoiced);
      const toldBefore = made.told.length;
      made.push(isVoiced, Math.floor(random() * 9000));
      for (const { event } of made.told.slice(toldBefore)) {
        if (event.type === 'started') {
          assert.is(open, undefined);
          assert.ok(event.startSample >= lastEnd);
          assert.ok(event.startSample >= retained && event.startSample >= nextFrom);
          open = event.startSample;
          continue;
        }
        assert.is(event.startSample, open);
        assert.ok(event.startSample < event.endSample && event.endSample <= at(frame + 1));
        assert.ok(event.endSample - event.startSample <= 5 * RATE + FRAME);
        for (let f = Math.ceil(event.startSample / FRAME); f < event.endSample / FRAME; f++) {
          if (voiced[f]) coveredVoiced++;
        }
        lastEnd = event.endSample;
        open = undefined;
      }
      assert.ok(made.segmenter.retainFromSample >= retained);
      retained = made.segmenter.retainFromSample;
      assert.ok(made.segmenter.nextUtteranceFromSample >= retained);
      nextFrom = Math.max(nextFrom, made.segmenter.nextUtteranceFromSample);
    }
    voicedFrames = voiced.filter(Boolean).length;
    // All voiced audio is inside some utterance, clicks of one or two frames aside.
    assert.ok(coveredVoiced > voicedFrames * 0.97, `${coveredVoiced} of ${voicedFrames} voiced frames`);
  });
});

test('a frame of another length and a maximum too short for a cut are refused', () => {
  assert.throws(() => line().segmenter.push(new Int16Array(80), 0), /Expected 160 samples/);
  assert.throws(() => line({ maxUtteranceMs: 4_999 }), /Expected at least 5000/);
});

test.run();
