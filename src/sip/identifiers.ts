import { randomBytes } from 'node:crypto';

/** What marks a branch as unique across space and time (RFC 3261 section 8.1.1.7). */
export const MAGIC_COOKIE = 'z9hG4bK';

export function newBranch(): string {
  return MAGIC_COOKIE + randomBytes(16).toString('hex');
}

/** At least 32 random bits are required (RFC 3261 section 19.3). */
export function newTag(): string {
  return randomBytes(12).toString('hex');
}

export function newCallId(): string {
  return randomBytes(16).toString('hex');
}
