import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Resampler } from '../../audio/resampler.ts';
import { parseWav, type Wav, wavToPcm } from '../../audio/wav.ts';
import { GatewayError } from '../../core/errors.ts';
import { ApiError } from '../api-error.ts';
import { ENGINE_SAMPLE_RATE } from '../engines/engine.ts';
import { findProgram, inScratchFolder, runProgram } from '../engines/programs.ts';

const MAX_MEDIA_MINUTES = 30;
/** What ffmpeg may take the media for. Playlists, which lead to other files, are not among them. */
const FORMATS = 'aac,aiff,amr,flac,matroska,webm,mov,mp4,m4a,mp3,mpegts,ogg,wav';

/**
 * Audio, or the sound of a video, as samples at {@link ENGINE_SAMPLE_RATE}: a mono WAV file by itself, anything else by
 * ffmpeg where that is installed.
 *
 * @throws ApiError 400 - it is not a recording that can be read.
 */
export async function readMedia(bytes: Uint8Array, signal: AbortSignal): Promise<Int16Array> {
  const pcm = readWav(bytes) ?? (await readByFfmpeg(bytes, signal));
  if (pcm.length === 0) throw new ApiError(400, 'The media has no sound');
  if (pcm.length > MAX_MEDIA_MINUTES * 60 * ENGINE_SAMPLE_RATE) {
    throw new ApiError(400, `The media is longer than ${MAX_MEDIA_MINUTES} minutes`);
  }
  return pcm;
}

function readWav(bytes: Uint8Array): Int16Array | undefined {
  let wav: Wav;
  try {
    wav = parseWav(bytes);
  } catch (thrown) {
    if (thrown instanceof GatewayError) return undefined;
    throw thrown;
  }
  const isUsual = wav.sampleRate === 8000 || wav.sampleRate === 16_000;
  return wav.channels === 1 && isUsual
    ? Resampler.resample(wavToPcm(wav), wav.sampleRate, ENGINE_SAMPLE_RATE)
    : undefined;
}

/** From a file to a file in a folder of its own; ffmpeg may open files only. */
async function readByFfmpeg(bytes: Uint8Array, signal: AbortSignal): Promise<Int16Array> {
  const ffmpeg = findProgram('ffmpeg');
  if (ffmpeg === undefined) throw new ApiError(400, 'Only mono WAV files at 8 or 16 kHz can be read without ffmpeg');
  return inScratchFolder(async (folder) => {
    const [source, target] = [join(folder, 'media'), join(folder, 'sound.wav')];
    await writeFile(source, bytes);
    const reading = `-nostdin -loglevel error -threads 1 -protocol_whitelist file -format_whitelist ${FORMATS}`;
    const writing = `-t ${MAX_MEDIA_MINUTES * 60 + 1} -vn -ac 1 -ar ${ENGINE_SAMPLE_RATE} -c:a pcm_s16le -f wav -bitexact`;
    const args = [...reading.split(' '), '-i', source, ...writing.split(' '), target];
    await runProgram(ffmpeg, args, signal).catch((thrown: unknown) => {
      if (!(thrown instanceof ApiError)) throw thrown;
      throw new ApiError(400, 'The media can not be read');
    });
    return readWav(await readFile(target)) ?? new Int16Array(0);
  });
}
