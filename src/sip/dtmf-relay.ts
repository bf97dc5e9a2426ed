/** A DTMF digit as gateways send it in an INFO body of `application/dtmf-relay`. */
export interface DtmfRelay {
  /** One of `0-9A-D*#`. */
  readonly digit: string;
  readonly durationMs: number;
}

/** What a sender that names no duration means. */
const DEFAULT_DURATION_MS = 100;

/** Reads `Signal=5` and `Duration=160`; undefined when there is no signal that is a digit. */
export function readDtmfRelay(body: string): DtmfRelay | undefined {
  const digit = /^Signal[ \t]*=[ \t]*([0-9A-D*#])[ \t]*\r?$/im.exec(body)?.[1];
  const duration = /^Duration[ \t]*=[ \t]*(\d{1,5})[ \t]*\r?$/im.exec(body)?.[1];
  if (digit === undefined) return undefined;
  return { digit: digit.toUpperCase(), durationMs: duration === undefined ? DEFAULT_DURATION_MS : Number(duration) };
}
