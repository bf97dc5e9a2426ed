import type { RawData, WebSocket } from 'ws';
import { GuideError, badRequest } from './answers.ts';
import { isObject, optionalText, requireText } from './validate.ts';

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** The fixed transcriptions; English gets the English one, any other language the Arabic one. */
const ARABIC = 'مرحبا، كيف يمكنني مساعدتك اليوم؟';
const ENGLISH = 'Hello, how can I help you today?';

function bytesOf(data: RawData): Buffer {
  if (Array.isArray(data)) return Buffer.concat(data);
  return Buffer.isBuffer(data) ? data : Buffer.from(data);
}

function parseMessage(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw badRequest('The message is not valid JSON.');
  }
}

/** Checks one message and gives its transcription. */
function transcribe(message: unknown): string {
  if (!isObject(message)) throw badRequest('The message must be a JSON object.');
  if (message['type'] !== 'stt') throw badRequest('The message type must be "stt".');
  const { payload } = message;
  if (!isObject(payload)) throw badRequest('The message must have a payload object.');
  const audio = requireText(payload, 'audioBase64');
  if (!BASE64.test(audio)) throw badRequest('The field "audioBase64" must be valid Base64.');
  optionalText(payload, 'language');
  const { isEosEnabled, eosThreshold, language } = payload;
  if (isEosEnabled !== undefined && typeof isEosEnabled !== 'boolean') {
    throw badRequest('The field "isEosEnabled" must be a boolean.');
  }
  if (eosThreshold !== undefined && (typeof eosThreshold !== 'number' || eosThreshold < 0 || eosThreshold > 1)) {
    throw badRequest('The field "eosThreshold" must be a number from 0 to 1.');
  }
  return typeof language === 'string' && /^en\b/i.test(language) ? ENGLISH : ARABIC;
}

/**
 * Section "Real-Time Speech-to-Text (WebSocket)". Every `stt` message is answered by one text frame
 * with the plain transcription, in the order of the messages; every faulty message is answered by
 * `{ type: 'error', payload: { message } }`, and the connection stays open. `audioBase64` is
 * required; the other fields of the example are optional and checked by type, the threshold to be
 * from 0 to 1. The guide describes no text-to-speech over the WebSocket, and a message of any type
 * but `stt` is an error. Binary frames are errors, because the guide sends text frames only. Which
 * of the two audio formats is sent is not said in the message, and the server accepts any bytes.
 */
export function serveSocket(socket: WebSocket, record: (body: unknown) => void): void {
  socket.on('error', () => {
    socket.terminate();
  });
  socket.on('message', (data, isBinary) => {
    const bytes = bytesOf(data);
    try {
      if (isBinary) {
        record(`${String(bytes.length)} binary bytes`);
        throw badRequest('The message must be a text frame.');
      }
      const text = bytes.toString('utf8');
      let message: unknown;
      try {
        message = parseMessage(text);
      } catch (error) {
        record(text);
        throw error;
      }
      record(message);
      socket.send(transcribe(message));
    } catch (error) {
      const message = error instanceof GuideError ? error.message : 'Server Error';
      socket.send(JSON.stringify({ type: 'error', payload: { message } }));
    }
  });
}
