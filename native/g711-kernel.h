// Included once for each vector width, inside a namespace that defines `TARGET`, `Vector` and the operations below.
// There is no include guard for this reason.
//
// One step takes two vectors of samples (x0, x1) and one vector of codes. Bytes hold segment and step, words hold
// magnitudes; `PackUnsigned` and `UnpackLow`/`UnpackHigh` go between the two and undo each other's order.

/**
 * The segment of 8 bit numbers through two tables of 16, one for each nibble. `Shuffle` looks at the low nibble of an
 * index and gives 0 where its highest bit is set, where the other table decides anyway.
 */
TARGET inline Vector Segment(Vector bytes, Vector highTable, Vector lowTable) {
  const Vector high = And(ShiftRight16<4>(bytes), Fill8(0x0f));
  return MaxUnsigned8(Shuffle(highTable, high), Shuffle(lowTable, bytes));
}

/** G.191 takes the ones' complement of a negative sample. */
TARGET inline Vector Magnitude(Vector samples) { return Xor(samples, ShiftRightSigned16<15>(samples)); }

/** 0x80 in each byte whose sample is not negative. */
TARGET inline Vector PositiveBit(Vector x0, Vector x1) { return AndNot(PackSigned(x0, x1), Fill8(0x80)); }

/** The lowest four bits that are left when word n of (m0, m1) is shifted right by 1 + log2(128 / scale n). */
TARGET inline Vector Step(Vector m0, Vector m1, Vector scale) {
  const Vector s0 = MultiplyHighUnsigned16(m0, UnpackLow(Zero(), scale));
  const Vector s1 = MultiplyHighUnsigned16(m1, UnpackHigh(Zero(), scale));
  return And(PackUnsigned(s0, s1), Fill8(0x0f));
}

TARGET inline Vector EncodeUlaw(Vector x0, Vector x1) {
  // 14 bit magnitudes with a bias of 33, so that a segment is a power of two; saturation is G.191's clipping.
  const Vector b0 = ShiftRight16<2>(AddSaturated16(Magnitude(x0), Fill16(4 * 33)));
  const Vector b1 = ShiftRight16<2>(AddSaturated16(Magnitude(x1), Fill16(4 * 33)));
  const Vector segment = Segment(PackUnsigned(ShiftRight16<5>(b0), ShiftRight16<5>(b1)),
                                 Table(0, 4, 5, 5, 6, 6, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7),
                                 Table(0, 0, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3));
  const Vector scale = Shuffle(Table(-128, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0), segment);
  const Vector magnitude = Or(ShiftLeft16<4>(segment), Step(b0, b1, scale));
  return Or(Xor(magnitude, Fill8(0x7f)), PositiveBit(x0, x1));
}

TARGET inline Vector EncodeAlaw(Vector x0, Vector x1) {
  // 12 bit magnitudes, of which `Step` drops the lowest bit; the first two segments have the same step size.
  const Vector m0 = ShiftRight16<3>(Magnitude(x0));
  const Vector m1 = ShiftRight16<3>(Magnitude(x1));
  const Vector segment = Segment(PackUnsigned(ShiftRight16<5>(m0), ShiftRight16<5>(m1)),
                                 Table(0, 5, 6, 6, 7, 7, 7, 7, 0, 0, 0, 0, 0, 0, 0, 0),
                                 Table(0, 1, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4));
  const Vector scale = Shuffle(Table(-128, -128, 64, 32, 16, 8, 4, 2, 0, 0, 0, 0, 0, 0, 0, 0), segment);
  const Vector magnitude = Or(ShiftLeft16<4>(segment), Step(m0, m1, scale));
  return Xor(Or(magnitude, PositiveBit(x0, x1)), Fill8(0x55));
}

/** `negative` has the sign bit of a byte set where the sample is negative. */
TARGET inline void StoreSigned(Vector low, Vector high, Vector negative, int16_t* pcm) {
  // The sign instruction makes a zero of a zero: bit 0 keeps each word away from it.
  const Vector signs = Or(negative, Fill8(1));
  Store(pcm, Sign16(low, UnpackLow(signs, signs)));
  Store(pcm + kBytes / 2, Sign16(high, UnpackHigh(signs, signs)));
}

TARGET inline void DecodeUlaw(Vector codes, int16_t* pcm) {
  const Vector inverted = AndNot(codes, Fill8(0x7f));
  const Vector segment = And(ShiftRight16<4>(inverted), Fill8(0x07));
  const Vector step = And(inverted, Fill8(0x0f));
  // 4 * (2 * step + 33), at most 252, times two to the segment.
  const Vector middle = Add8(ShiftLeft16<3>(step), Fill8(132));
  const Vector scale = Shuffle(Table(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0), segment);
  const Vector low = MultiplyLow16(UnpackLow(middle, Zero()), UnpackLow(scale, Zero()));
  const Vector high = MultiplyLow16(UnpackHigh(middle, Zero()), UnpackHigh(scale, Zero()));
  StoreSigned(Subtract16(low, Fill16(132)), Subtract16(high, Fill16(132)), Xor(codes, Fill8(0x80)), pcm);
}

TARGET inline void DecodeAlaw(Vector codes, int16_t* pcm) {
  const Vector bits = Xor(codes, Fill8(0x55));
  const Vector segment = And(ShiftRight16<4>(bits), Fill8(0x07));
  const Vector step = And(bits, Fill8(0x0f));
  const Vector leading = Shuffle(Table(1, 33, 33, 33, 33, 33, 33, 33, 0, 0, 0, 0, 0, 0, 0, 0), segment);
  const Vector middle = Add8(ShiftLeft16<1>(step), leading);
  const Vector scale = Shuffle(Table(1, 1, 2, 4, 8, 16, 32, 64, 0, 0, 0, 0, 0, 0, 0, 0), segment);
  const Vector low = MultiplyLow16(UnpackLow(middle, Zero()), UnpackLow(scale, Zero()));
  const Vector high = MultiplyLow16(UnpackHigh(middle, Zero()), UnpackHigh(scale, Zero()));
  StoreSigned(ShiftLeft16<3>(low), ShiftLeft16<3>(high), Xor(bits, Fill8(0x80)), pcm);
}

TARGET inline void EncodeStep(Law law, const int16_t* pcm, uint8_t* codes) {
  const Vector x0 = Load(pcm);
  const Vector x1 = Load(pcm + kBytes / 2);
  Store(codes, AfterPack(law == Law::kUlaw ? EncodeUlaw(x0, x1) : EncodeAlaw(x0, x1)));
}

TARGET inline void DecodeStep(Law law, const uint8_t* codes, int16_t* pcm) {
  const Vector ordered = BeforeUnpack(Load(codes));
  if (law == Law::kUlaw) DecodeUlaw(ordered, pcm);
  else DecodeAlaw(ordered, pcm);
}

/** Whole vectors, then the last `kBytes` elements again: an overlap costs less than a loop over single samples. */
template <Law kLaw>
TARGET void EncodeAll(const int16_t* pcm, size_t length, uint8_t* codes) {
  size_t i = 0;
  for (; i + kBytes <= length; i += kBytes) EncodeStep(kLaw, pcm + i, codes + i);
  if (i < length) EncodeStep(kLaw, pcm + length - kBytes, codes + length - kBytes);
}

template <Law kLaw>
TARGET void DecodeAll(const uint8_t* codes, size_t length, int16_t* pcm) {
  size_t i = 0;
  for (; i + kBytes <= length; i += kBytes) DecodeStep(kLaw, codes + i, pcm + i);
  if (i < length) DecodeStep(kLaw, codes + length - kBytes, pcm + length - kBytes);
}

/** What is shorter than a vector goes through one that is filled up with zeros. */
template <Law kLaw>
TARGET void EncodeShort(const int16_t* pcm, size_t length, uint8_t* codes) {
  int16_t in[kBytes] = {};
  uint8_t out[kBytes];
  std::memcpy(in, pcm, length * sizeof *pcm);
  EncodeStep(kLaw, in, out);
  std::memcpy(codes, out, length);
}

template <Law kLaw>
TARGET void DecodeShort(const uint8_t* codes, size_t length, int16_t* pcm) {
  uint8_t in[kBytes] = {};
  int16_t out[kBytes];
  std::memcpy(in, codes, length);
  DecodeStep(kLaw, in, out);
  std::memcpy(pcm, out, length * sizeof *pcm);
}

template <Law kLaw>
void EncodeAny(const int16_t* pcm, size_t length, uint8_t* codes) {
  if (length >= kBytes) EncodeAll<kLaw>(pcm, length, codes);
  else if (length > 0) EncodeShort<kLaw>(pcm, length, codes);
}

template <Law kLaw>
void DecodeAny(const uint8_t* codes, size_t length, int16_t* pcm) {
  if (length >= kBytes) DecodeAll<kLaw>(codes, length, pcm);
  else if (length > 0) DecodeShort<kLaw>(codes, length, pcm);
}

void Encode(Law law, const int16_t* pcm, size_t length, uint8_t* codes) {
  if (law == Law::kUlaw) EncodeAny<Law::kUlaw>(pcm, length, codes);
  else EncodeAny<Law::kAlaw>(pcm, length, codes);
}

void Decode(Law law, const uint8_t* codes, size_t length, int16_t* pcm) {
  if (law == Law::kUlaw) DecodeAny<Law::kUlaw>(codes, length, pcm);
  else DecodeAny<Law::kAlaw>(codes, length, pcm);
}
