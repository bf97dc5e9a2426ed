/** The part of bufferutil that is used. It ends the process where it is given anything but Buffers. */
declare module 'bufferutil' {
  const bufferUtil: {
    /** Writes `length` bytes of `source`, each exclusively or-ed with its byte of the four of `key`, to `out` from `offset` on. */
    mask(source: Buffer, key: Buffer, out: Buffer, offset: number, length: number): void;
  };
  export default bufferUtil;
}
