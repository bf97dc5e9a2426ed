import { readFileSync } from 'node:fs';
import { G711 } from '../../src/audio/g711.ts';

const PCAP_HEADER_BYTES = 24;
const RECORD_HEADER_BYTES = 16;
const ETHERNET_BYTES = 14;
const UDP_BYTES = 8;
const RTP_BYTES = 12;

/** The audio of a little-endian Ethernet capture of RTP with PCMU or PCMA, payloads in the order they were captured. */
export function readPcapAudio(path: string): Int16Array {
  const capture = readFileSync(path);
  const pieces: Int16Array[] = [];
  for (let offset = PCAP_HEADER_BYTES; offset < capture.length; ) {
    const bytes = capture.readUInt32LE(offset + 8);
    const ip = offset + RECORD_HEADER_BYTES + ETHERNET_BYTES;
    const rtp = ip + (capture.readUInt8(ip) & 15) * 4 + UDP_BYTES;
    const payload = capture.subarray(rtp + RTP_BYTES, offset + RECORD_HEADER_BYTES + bytes);
    const pcm = new Int16Array(payload.length);
    G711.decode((capture.readUInt8(rtp + 1) & 127) === 8 ? 'alaw' : 'ulaw', payload, pcm);
    pieces.push(pcm);
    offset += RECORD_HEADER_BYTES + bytes;
  }
  return Int16Array.from(pieces.flatMap((piece) => [...piece]));
}
