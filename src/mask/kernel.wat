;; The inner loops of masks over text: canonical forms, keyed tags, scrambled characters, copies. What they compute and
;; promise is said in kernel.ts, which lays out the memory and fills the tables below.
;; `node scripts/assemble.mjs` turns this file into kernel-module.ts.
;;
;; Sixteen bytes at a time are loaded and stored, so all of it reads and writes up to 15 bytes beyond what it was told
;; to: every region of the memory is followed by so much room.
(module
  (import "kernel" "classify" (func $classify (param i32) (result i32)))
  (memory (export "memory") 1024 1024)

  ;; Addresses, as kernel.ts has them:
  ;;   0x0000  what a byte of text does to its canonical form, by what it comes after: 5 x 256 words
  ;;   0x1400  what the next byte comes after, times 256: 256 half words
  ;;   0x1600  letters of two bytes: a bit for each last byte, a double word for each first one
  ;;   0x1700  those of them that are capitals
  ;;   0x1800  by a mask of eight bits, the positions of its ones: 256 x 8 bytes
  ;;   0x2000  the tag
  ;;   0x2010  the stream's state
  ;;   0x2020  what scrambling did: bit 0, characters were drawn; bit 1, the bytes differ
  ;;   0x2024  where the walk through a JSON text stopped
  ;;   0x2030  the 32 characters of suffixes
  ;;   0x2050  the halves of a string that was permuted, as doubles
  ;;   0x2060  the block that AES encrypted
  ;;   0x2080  random bytes in wait
  ;;   0x2100  the stream's state after each of the last eight words
  ;;   0x2400  AES: what a byte adds to a column, 256 words
  ;;   0x2800  AES: the S-box
  ;;   0x2c00  both ends of a long text
  ;;   0x2c80  letters of two bytes that are their own canonical form: a bit for each last byte, a double word for each first
  ;;           one of C3, C4, C5
  ;;   0x4000  the canonical form of an original, up to 4096 bytes; 0x5010: that of a candidate

  ;; random bytes in wait: from, to
  (global $head (mut i32) (i32.const 0))
  (global $tail (mut i32) (i32.const 0))

  ;; Copies the bytes from $from to $end, to $to.
  (func $copy (export "copy") (param $from i32) (param $end i32) (param $to i32)
    (if (i32.gt_u (i32.sub (local.get $end) (local.get $from)) (i32.const 512))
      (then
        (memory.copy (local.get $to) (local.get $from) (i32.sub (local.get $end) (local.get $from)))
        (return)))
    (loop $next
      (if (i32.lt_u (local.get $from) (local.get $end))
        (then
          (v128.store (local.get $to) (v128.load (local.get $from)))
          (local.set $from (i32.add (local.get $from) (i32.const 16)))
          (local.set $to (i32.add (local.get $to) (i32.const 16)))
          (br $next)))))

  ;; Leaves the tag of the bytes from $at to $end under the key at $key: Chaskey-12, see keyed.ts. The key is followed by
  ;; itself times two and times four. Of a message in pieces, $resumed says that one went before, and $more that another
  ;; one follows; then it has whole blocks only.
  (func $hash (export "hash") (param $at i32) (param $end i32) (param $key i32) (param $resumed i32) (param $more i32)
    (local $v0 i32) (local $v1 i32) (local $v2 i32) (local $v3 i32)
    (local $left i32) (local $low i64) (local $high i64) (local $bit i64) (local $round i32) (local $from i32)
    (local.set $from (select (i32.const 0x2000) (local.get $key) (local.get $resumed)))
    (local.set $v0 (i32.load (local.get $from)))
    (local.set $v1 (i32.load offset=4 (local.get $from)))
    (local.set $v2 (i32.load offset=8 (local.get $from)))
    (local.set $v3 (i32.load offset=12 (local.get $from)))
    (block $done
      (loop $block
        (local.set $left (i32.sub (local.get $end) (local.get $at)))
        (local.set $low (i64.load (local.get $at)))
        (local.set $high (i64.load offset=8 (local.get $at)))
        (if (i32.or (i32.gt_s (local.get $left) (i32.const 16)) (local.get $more))
          (then
            (br_if $done (i32.le_s (local.get $left) (i32.const 0))))
          (else
            ;; The last block: a full one goes with the key times two, another one is padded and goes with it times four.
            (local.set $key (i32.add (local.get $key) (i32.const 16)))
            (if (i32.lt_s (local.get $left) (i32.const 16))
              (then
                (local.set $key (i32.add (local.get $key) (i32.const 16)))
                (local.set $bit
                  (i64.shl (i64.const 1) (i64.extend_i32_u (i32.shl (local.get $left) (i32.const 3)))))
                (if (i32.lt_s (local.get $left) (i32.const 8))
                  (then
                    (local.set $low
                      (i64.or (i64.and (local.get $low) (i64.sub (local.get $bit) (i64.const 1))) (local.get $bit)))
                    (local.set $high (i64.const 0)))
                  (else
                    (local.set $high
                      (i64.or (i64.and (local.get $high) (i64.sub (local.get $bit) (i64.const 1)))
                        (local.get $bit)))))))
            (local.set $v0 (i32.xor (local.get $v0) (i32.load (local.get $key))))
            (local.set $v1 (i32.xor (local.get $v1) (i32.load offset=4 (local.get $key))))
            (local.set $v2 (i32.xor (local.get $v2) (i32.load offset=8 (local.get $key))))
            (local.set $v3 (i32.xor (local.get $v3) (i32.load offset=12 (local.get $key))))))
        (local.set $v0 (i32.xor (local.get $v0) (i32.wrap_i64 (local.get $low))))
        (local.set $v1 (i32.xor (local.get $v1) (i32.wrap_i64 (i64.shr_u (local.get $low) (i64.const 32)))))
        (local.set $v2 (i32.xor (local.get $v2) (i32.wrap_i64 (local.get $high))))
        (local.set $v3 (i32.xor (local.get $v3) (i32.wrap_i64 (i64.shr_u (local.get $high) (i64.const 32)))))
        (local.set $round (i32.const 12))
        (loop $permute
          (local.set $v0 (i32.add (local.get $v0) (local.get $v1)))
          (local.set $v1 (i32.xor (i32.rotl (local.get $v1) (i32.const 5)) (local.get $v0)))
          (local.set $v0 (i32.rotl (local.get $v0) (i32.const 16)))
          (local.set $v2 (i32.add (local.get $v2) (local.get $v3)))
          (local.set $v3 (i32.xor (i32.rotl (local.get $v3) (i32.const 8)) (local.get $v2)))
          (local.set $v0 (i32.add (local.get $v0) (local.get $v3)))
          (local.set $v3 (i32.xor (i32.rotl (local.get $v3) (i32.const 13)) (local.get $v0)))
          (local.set $v2 (i32.add (local.get $v2) (local.get $v1)))
          (local.set $v1 (i32.xor (i32.rotl (local.get $v1) (i32.const 7)) (local.get $v2)))
          (local.set $v2 (i32.rotl (local.get $v2) (i32.const 16)))
          (local.set $round (i32.sub (local.get $round) (i32.const 1)))
          (br_if $permute (local.get $round)))
        (local.set $at (i32.add (local.get $at) (i32.const 16)))
        (br_if $block (i32.or (i32.gt_s (local.get $left) (i32.const 16)) (local.get $more)))
        (local.set $v0 (i32.xor (local.get $v0) (i32.load (local.get $key))))
        (local.set $v1 (i32.xor (local.get $v1) (i32.load offset=4 (local.get $key))))
        (local.set $v2 (i32.xor (local.get $v2) (i32.load offset=8 (local.get $key))))
        (local.set $v3 (i32.xor (local.get $v3) (i32.load offset=12 (local.get $key))))))
    (i32.store offset=0x2000 (i32.const 0) (local.get $v0))
    (i32.store offset=0x2004 (i32.const 0) (local.get $v1))
    (i32.store offset=0x2008 (i32.const 0) (local.get $v2))
    (i32.store offset=0x200c (i32.const 0) (local.get $v3)))

  ;; Writes the canonical form of the text from $start to $end to $to, and returns where it ends; 0 where that takes
  ;; Unicode's own rules.
  (func $canonical (export "canonical") (param $start i32) (param $end i32) (param $to i32) (result i32)
    (local $v v128) (local $n i32) (local $special i32) (local $byte i32) (local $step i32) (local $after i32)
    (local $spaces i32) (local $own i32)
    ;; white space at the ends
    (block $trimmed
      (loop $trim
        (br_if $trimmed (i32.ge_u (local.get $start) (local.get $end)))
        (br_if $trimmed (i32.eqz (call $isSpace (i32.load8_u (i32.sub (local.get $end) (i32.const 1))))))
        (local.set $end (i32.sub (local.get $end) (i32.const 1)))
        (br $trim)))
    (block $trimmed
      (loop $trim
        (br_if $trimmed (i32.ge_u (local.get $start) (local.get $end)))
        (br_if $trimmed (i32.eqz (call $isSpace (i32.load8_u (local.get $start)))))
        (local.set $start (i32.add (local.get $start) (i32.const 1)))
        (br $trim)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $start) (local.get $end)))
        ;; Up to sixteen bytes that are their own form, or a capital's small letter: ASCII but for white space other than single
        ;; spaces, and small letters of two bytes. Not behind a lead byte.
        (if (i32.le_u (local.get $after) (i32.const 0x100))
          (then
            (local.set $v (v128.load (local.get $start)))
            (local.set $n (i32.sub (local.get $end) (local.get $start)))
            (if (i32.gt_u (local.get $n) (i32.const 16)) (then (local.set $n (i32.const 16))))
            (local.set $spaces
              (i8x16.bitmask (i8x16.eq (local.get $v) (v128.const i8x16 32 32 32 32 32 32 32 32 32 32 32 32 32 32 32 32))))
            (local.set $special
              (i32.or
                (i32.or
                  (i32.shl (i32.const 1) (local.get $n))
                  (i8x16.bitmask
                    (i8x16.lt_s (local.get $v) (v128.const i8x16 32 32 32 32 32 32 32 32 32 32 32 32 32 32 32 32))))
                (i32.and (local.get $spaces)
                  (i32.or (i32.shl (local.get $spaces) (i32.const 1)) (i32.shr_u (local.get $after) (i32.const 8))))))
            (loop $letter
              (local.set $own (i32.ctz (local.get $special)))
              (local.set $byte (i32.load8_u (i32.add (local.get $start) (local.get $own))))
              (if (i32.and
                  (i32.lt_u (i32.sub (local.get $byte) (i32.const 0xc3)) (i32.const 3))
                  (i32.lt_u (i32.add (local.get $own) (i32.const 1)) (local.get $n)))
                (then
                  (local.set $step (i32.load8_u offset=1 (i32.add (local.get $start) (local.get $own))))
                  (if (i32.and
                      (i32.eq (i32.and (local.get $step) (i32.const 0xc0)) (i32.const 0x80))
                      (i32.wrap_i64
                        (i64.shr_u
                          (i64.load offset=0x2c68 (i32.shl (i32.and (local.get $byte) (i32.const 7)) (i32.const 3)))
                          (i64.extend_i32_u (local.get $step)))))
                    (then
                      (local.set $special
                        (i32.and (local.get $special)
                          (i32.xor (i32.shl (i32.const 3) (local.get $own)) (i32.const -1))))
                      (br $letter))))))
            (v128.store (local.get $to)
              (v128.or (local.get $v)
                (v128.and
                  (i8x16.lt_u
                    (i8x16.sub (local.get $v)
                      (v128.const i8x16 65 65 65 65 65 65 65 65 65 65 65 65 65 65 65 65))
                    (v128.const i8x16 26 26 26 26 26 26 26 26 26 26 26 26 26 26 26 26))
                  (v128.const i8x16 32 32 32 32 32 32 32 32 32 32 32 32 32 32 32 32))))
            (if (local.get $own)
              (then
                (local.set $to (i32.add (local.get $to) (local.get $own)))
                (local.set $start (i32.add (local.get $start) (local.get $own)))
                (local.set $after
                  (i32.shl
                    (i32.and (i32.const 1)
                      (i32.shr_u (local.get $spaces) (i32.sub (local.get $own) (i32.const 1))))
                    (i32.const 8)))
                (br_if $next (i32.eq (local.get $own) (local.get $n)))))))
        ;; any other byte
        (local.set $byte (i32.load8_u (local.get $start)))
        (local.set $step
          (i32.load (i32.shl (i32.or (local.get $after) (local.get $byte)) (i32.const 2))))
        (if (i32.and (local.get $step) (i32.const 0x100000))
          (then
            (if (i32.gt_u (local.get $after) (i32.const 0x100)) (then (return (i32.const 0))))
            (if (i32.eqz (call $isPunctuation (local.get $start) (local.get $end))) (then (return (i32.const 0))))
            (i32.store (local.get $to) (i32.load (local.get $start)))
            (local.set $to (i32.add (local.get $to) (i32.const 3)))
            (local.set $start (i32.add (local.get $start) (i32.const 3)))
            (local.set $after (i32.const 0))
            (br $next)))
        (i32.store16 (local.get $to) (local.get $step))
        (local.set $to (i32.add (local.get $to) (i32.shr_u (local.get $step) (i32.const 16))))
        (local.set $after (i32.load16_u offset=0x1400 (i32.shl (local.get $byte) (i32.const 1))))
        (local.set $start (i32.add (local.get $start) (i32.const 1)))
        (br $next)))
    ;; nothing after a lead byte
    (if (i32.gt_u (local.get $after) (i32.const 0x100)) (then (return (i32.const 0))))
    (local.get $to))

  (func $isSpace (param $byte i32) (result i32)
    (i32.or
      (i32.eq (local.get $byte) (i32.const 0x20))
      (i32.lt_u (i32.sub (local.get $byte) (i32.const 9)) (i32.const 5))))

  ;; Punctuation that is its own canonical form: U+2010 to U+2027, U+2030 to U+203E.
  (func $isPunctuation (param $at i32) (param $end i32) (result i32)
    (local $third i32)
    (local.set $third (i32.load8_u offset=2 (local.get $at)))
    (i32.and
      (i32.and
        (i32.gt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 2))
        (i32.eq (i32.load16_u (local.get $at)) (i32.const 0x80e2)))
      (i32.or
        (i32.lt_u (i32.sub (local.get $third) (i32.const 0x90)) (i32.const 0x18))
        (i32.lt_u (i32.sub (local.get $third) (i32.const 0xb0)) (i32.const 0x0f)))))

  ;; Puts a value together at $to, and returns where it ends. $program has four words for each part: what it is, and
  ;;   0  an entry of a dictionary: where its offsets are, how many entries
  ;;   1  a literal: from, to
  ;;   2  a whole number in decimal: the least, how many of them
  ;;   3  decimal digits: how many
  ;;   4  characters of the tag, five bits each: how many
  ;;   5  the end
  (func $compose (export "compose") (param $program i32) (param $to i32) (result i32)
    (local $value i32) (local $count i32) (local $at i32)
    (loop $next
      (block $end
        (block $suffix
          (block $digits
            (block $integer
              (block $literal
                (block $pick
                  (br_table $pick $literal $integer $digits $suffix $end (i32.load (local.get $program))))
                ;; an entry
                (local.set $value
                  (i32.add
                    (i32.load offset=4 (local.get $program))
                    (i32.shl (call $below (i32.load offset=8 (local.get $program))) (i32.const 2))))
                (local.set $to
                  (call $append (i32.load (local.get $value)) (i32.load offset=4 (local.get $value)) (local.get $to)))
                (local.set $program (i32.add (local.get $program) (i32.const 16)))
                (br $next))
              ;; a literal
              (local.set $to
                (call $append
                  (i32.load offset=4 (local.get $program)) (i32.load offset=8 (local.get $program)) (local.get $to)))
              (local.set $program (i32.add (local.get $program) (i32.const 16)))
              (br $next))
            ;; a whole number
            (local.set $value
              (i32.add
                (i32.load offset=4 (local.get $program))
                (call $below (i32.load offset=8 (local.get $program)))))
            (local.set $count (i32.const 1))
            (local.set $at (local.get $value))
            (block $counted
              (loop $digit
                (br_if $counted (i32.lt_u (local.get $at) (i32.const 10)))
                (local.set $at (i32.div_u (local.get $at) (i32.const 10)))
                (local.set $count (i32.add (local.get $count) (i32.const 1)))
                (br $digit)))
            (local.set $to (i32.add (local.get $to) (local.get $count)))
            (local.set $at (local.get $to))
            (loop $digit
              (local.set $at (i32.sub (local.get $at) (i32.const 1)))
              (i32.store8 (local.get $at)
                (i32.add (i32.const 0x30) (i32.rem_u (local.get $value) (i32.const 10))))
              (local.set $value (i32.div_u (local.get $value) (i32.const 10)))
              (br_if $digit (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
            (local.set $program (i32.add (local.get $program) (i32.const 16)))
            (br $next))
          ;; digits
          (local.set $count (i32.load offset=4 (local.get $program)))
          (loop $digit
            (i32.store8 (local.get $to) (i32.add (i32.const 0x30) (call $below (i32.const 10))))
            (local.set $to (i32.add (local.get $to) (i32.const 1)))
            (br_if $digit (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
          (local.set $program (i32.add (local.get $program) (i32.const 16)))
          (br $next))
        ;; characters of the tag
        (local.set $count (i32.load offset=4 (local.get $program)))
        (local.set $at (i32.const 0))
        (loop $character
          (i32.store8 (local.get $to)
            (i32.load8_u offset=0x2030
              (i32.and (i32.const 31)
                (i32.shr_u
                  (i32.load16_u offset=0x2000 (i32.shr_u (local.get $at) (i32.const 3)))
                  (i32.and (local.get $at) (i32.const 7))))))
          (local.set $to (i32.add (local.get $to) (i32.const 1)))
          (local.set $at (i32.add (local.get $at) (i32.const 5)))
          (br_if $character (local.tee $count (i32.sub (local.get $count) (i32.const 1)))))
        (local.set $program (i32.add (local.get $program) (i32.const 16)))
        (br $next)))
    (local.get $to))

  ;; A stream begins at the tag; it would never leave the state of zeros.
  (func $seed
    (v128.store offset=0x2010 (i32.const 0) (v128.load offset=0x2000 (i32.const 0)))
    (if (i32.eqz (v128.any_true (v128.load offset=0x2000 (i32.const 0))))
      (then (i32.store offset=0x2010 (i32.const 0) (i32.const 1)))))

  ;; Writes the digits from $start to $end to $to as an international number, and returns where it ends; 0 where they are no
  ;; number. $numbering has two words for the country code and two for the trunk prefix, its length and its characters, and
  ;; the most digits of a national number; see PhoneIdentity.
  (func $phone (export "phone") (param $start i32) (param $end i32) (param $to i32) (param $numbering i32) (result i32)
    (local $first i32) (local $at i32) (local $byte i32) (local $international i32)
    (if (i32.gt_u (i32.sub (local.get $end) (local.get $start)) (i32.const 4064)) (then (return (i32.const 0))))
    ;; room for a country code
    (local.set $first (i32.add (local.get $to) (i32.const 16)))
    (local.set $at (local.get $first))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $start) (local.get $end)))
        (local.set $byte (i32.load8_u (local.get $start)))
        (local.set $start (i32.add (local.get $start) (i32.const 1)))
        (if (i32.lt_u (i32.sub (local.get $byte) (i32.const 0x30)) (i32.const 10))
          (then
            (i32.store8 (local.get $at) (local.get $byte))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $next)))
        (if (i32.and (i32.eq (local.get $byte) (i32.const 0x2b)) (i32.eq (local.get $at) (local.get $first)))
          (then (local.set $international (i32.const 1))))
        ;; letters
        (if (i32.or (i32.ge_u (local.get $byte) (i32.const 0x80))
            (i32.ge_u (i32.or (local.get $byte) (i32.const 0x20)) (i32.const 0x61)))
          (then (return (i32.const 0))))
        (br $next)))
    (if (i32.eq (local.get $at) (local.get $first)) (then (return (i32.const 0))))
    (block $found
      (block $national
        (block $abroad
          (br_if $abroad (local.get $international))
          (if (i32.and (i32.gt_u (i32.sub (local.get $at) (local.get $first)) (i32.const 2))
              (i32.eq (i32.load16_u (local.get $first)) (i32.const 0x3030)))
            (then
              (local.set $first (i32.add (local.get $first) (i32.const 2)))
              (br $abroad)))
          (br_if $national
            (i32.le_u (i32.sub (local.get $at) (local.get $first)) (i32.load offset=16 (local.get $numbering))))
          (br_if $national (i32.eqz (call $without (local.get $first) (local.get $at) (local.get $numbering)))))
        ;; Some write both: `+36 (06) 20 …`.
        (local.set $byte (call $without (local.get $first) (local.get $at) (local.get $numbering)))
        (br_if $found (i32.eqz (local.get $byte)))
        (local.set $first (local.get $byte)))
      ;; the country code before the national number, over a trunk prefix if there is one
      (local.set $byte
        (call $without (local.get $first) (local.get $at) (i32.add (local.get $numbering) (i32.const 8))))
      (local.set $first
        (i32.sub (select (local.get $byte) (local.get $first) (local.get $byte)) (i32.load (local.get $numbering))))
      (local.set $byte (i32.load (local.get $numbering)))
      (loop $code
        (br_if $found (i32.eqz (local.get $byte)))
        (local.set $byte (i32.sub (local.get $byte) (i32.const 1)))
        (i32.store8 (i32.add (local.get $first) (local.get $byte))
          (i32.load8_u offset=4 (i32.add (local.get $numbering) (local.get $byte))))
        (br $code)))
    (call $append (local.get $first) (local.get $at) (local.get $to)))

  ;; Where what follows the prefix at $prefix begins, its length and up to four characters; 0 where the digits from $at to $end
  ;; do not begin with it.
  (func $without (param $at i32) (param $end i32) (param $prefix i32) (result i32)
    (local $length i32)
    (local.set $length (i32.load (local.get $prefix)))
    (if (i32.lt_u (i32.sub (local.get $end) (local.get $at)) (local.get $length)) (then (return (i32.const 0))))
    (select (i32.add (local.get $at) (local.get $length)) (i32.const 0)
      (i32.eqz
        (i32.wrap_i64
          (i64.shl
            (i64.extend_i32_u (i32.xor (i32.load (local.get $at)) (i32.load offset=4 (local.get $prefix))))
            (i64.extend_i32_u (i32.sub (i32.const 32) (i32.shl (local.get $length) (i32.const 3)))))))))

  ;; Reads the text from $start to $end: its canonical form lies at 0x4000 then, its tag under $key is left. With a $numbering,
  ;; it may be a telephone number. Returns where the form ends; 0 where that takes Unicode's own rules, or more room than there
  ;; is.
  (func $tag (param $start i32) (param $end i32) (param $key i32) (param $numbering i32) (result i32)
    (local $form i32)
    (if (i32.gt_u (i32.sub (local.get $end) (local.get $start)) (i32.const 4096)) (then (return (i32.const 0))))
    (if (local.get $numbering)
      (then
        (local.set $form (call $phone (local.get $start) (local.get $end) (i32.const 0x4000) (local.get $numbering)))))
    (if (i32.eqz (local.get $form))
      (then (local.set $form (call $canonical (local.get $start) (local.get $end) (i32.const 0x4000)))))
    (if (local.get $form)
      (then (call $hash (i32.const 0x4000) (local.get $form) (local.get $key) (i32.const 0) (i32.const 0))))
    (local.get $form))

  ;; Writes to $to what $program puts together for the text from $start to $end: the first value of at most 16 that has another
  ;; canonical form. Returns where it ends; 0 where that takes Unicode's own rules.
  (func (export "replace") (param $start i32) (param $end i32) (param $key i32) (param $numbering i32) (param $program i32)
    (param $to i32) (result i32)
    (local $form i32) (local $written i32) (local $same i32) (local $draws i32)
    (local.set $form (call $tag (local.get $start) (local.get $end) (local.get $key) (local.get $numbering)))
    (if (i32.eqz (local.get $form)) (then (return (i32.const 0))))
    (call $seed)
    (local.set $draws (i32.const 16))
    (loop $draw
      (local.set $written (call $compose (local.get $program) (local.get $to)))
      (local.set $same (call $isSame (local.get $form) (local.get $to) (local.get $written) (local.get $numbering)))
      (if (i32.lt_s (local.get $same) (i32.const 0)) (then (return (i32.const 0))))
      (local.set $draws (i32.sub (local.get $draws) (i32.const 1)))
      (br_if $draw (i32.and (local.get $same) (i32.ne (local.get $draws) (i32.const 0)))))
    (local.get $written))

  ;; Whether the text from $at to $end has the canonical form that lies from 0x4000 to $form; -1 where that takes Unicode's
  ;; own rules. Most often first or last characters alone show that it has not.
  (func $isSame (param $form i32) (param $at i32) (param $end i32) (param $numbering i32) (result i32)
    (local $other i32) (local $byte i32)
    (if (i32.and (i32.lt_u (local.get $at) (local.get $end)) (i32.gt_u (local.get $form) (i32.const 0x4000)))
      (then
        (local.set $byte (call $plain (i32.load8_u (i32.sub (local.get $end) (i32.const 1)))))
        (if (i32.and (i32.ne (local.get $byte) (i32.const 0))
            (i32.ne (local.get $byte) (i32.load8_u (i32.sub (local.get $form) (i32.const 1)))))
          (then (return (i32.const 0))))
        (local.set $byte (call $plain (i32.load8_u (local.get $at))))
        ;; A number may begin with other digits than its canonical form.
        (if (i32.and (i32.gt_u (local.get $byte) (i32.const 0x39))
            (i32.ne (local.get $byte) (i32.load8_u offset=0x4000 (i32.const 0))))
          (then (return (i32.const 0))))))
    (if (i32.gt_u (i32.sub (local.get $end) (local.get $at)) (i32.const 4096)) (then (return (i32.const -1))))
    (if (local.get $numbering)
      (then
        (local.set $other (call $phone (local.get $at) (local.get $end) (i32.const 0x5010) (local.get $numbering)))))
    (if (i32.eqz (local.get $other))
      (then (local.set $other (call $canonical (local.get $at) (local.get $end) (i32.const 0x5010)))))
    (if (i32.eqz (local.get $other)) (then (return (i32.const -1))))
    (if (i32.ne (i32.sub (local.get $other) (i32.const 0x1010)) (local.get $form)) (then (return (i32.const 0))))
    (local.set $at (i32.const 0x4000))
    (block $differs
      (loop $next
        (if (i32.ge_u (local.get $at) (local.get $form)) (then (return (i32.const 1))))
        (br_if $differs (i32.ne (i32.load8_u (local.get $at)) (i32.load8_u offset=0x1010 (local.get $at))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $next)))
    (i32.const 0))

  ;; An ASCII letter as a small one, a digit; 0 for any other byte.
  (func $plain (param $byte i32) (result i32)
    (if (i32.lt_u (i32.sub (local.get $byte) (i32.const 0x30)) (i32.const 10)) (then (return (local.get $byte))))
    (local.set $byte (i32.or (local.get $byte) (i32.const 0x20)))
    (select (local.get $byte) (i32.const 0) (i32.lt_u (i32.sub (local.get $byte) (i32.const 0x61)) (i32.const 26))))

  ;; $copy, and where it ends.
  (func $append (param $from i32) (param $end i32) (param $to i32) (result i32)
    (call $copy (local.get $from) (local.get $end) (local.get $to))
    (i32.add (local.get $to) (i32.sub (local.get $end) (local.get $from))))

  ;; A whole number below $count, of the stream's next word.
  (func $below (param $count i32) (result i32)
    (i32.wrap_i64
      (i64.shr_u
        (i64.mul (i64.extend_i32_u (call $next)) (i64.extend_i32_u (local.get $count)))
        (i64.const 32))))

  ;; The stream's next word, xoshiro128**: see keyed.ts.
  (func $next (result i32)
    (local $s0 i32) (local $s1 i32) (local $s2 i32) (local $s3 i32)
    (local.set $s0 (i32.load offset=0x2010 (i32.const 0)))
    (local.set $s1 (i32.load offset=0x2014 (i32.const 0)))
    (local.set $s2 (i32.xor (i32.load offset=0x2018 (i32.const 0)) (local.get $s0)))
    (local.set $s3 (i32.xor (i32.load offset=0x201c (i32.const 0)) (local.get $s1)))
    (i32.store offset=0x2010 (i32.const 0) (i32.xor (local.get $s0) (local.get $s3)))
    (i32.store offset=0x2014 (i32.const 0) (i32.xor (local.get $s1) (local.get $s2)))
    (i32.store offset=0x2018 (i32.const 0) (i32.xor (local.get $s2) (i32.shl (local.get $s1) (i32.const 9))))
    (i32.store offset=0x201c (i32.const 0) (i32.rotl (local.get $s3) (i32.const 11)))
    (i32.mul (i32.rotl (i32.mul (local.get $s1) (i32.const 5)) (i32.const 7)) (i32.const 9)))

  ;; Encrypts a block, four big-endian words, with the schedule at $at that ends with the one at $last: see aes.ts.
  (func $aes (export "aes") (param $at i32) (param $last i32)
    (param $s0 i32) (param $s1 i32) (param $s2 i32) (param $s3 i32)
    (local $t0 i32) (local $t1 i32) (local $t2 i32) (local $t3 i32)
    (local.set $s0 (i32.xor (local.get $s0) (i32.load (local.get $at))))
    (local.set $s1 (i32.xor (local.get $s1) (i32.load offset=4 (local.get $at))))
    (local.set $s2 (i32.xor (local.get $s2) (i32.load offset=8 (local.get $at))))
    (local.set $s3 (i32.xor (local.get $s3) (i32.load offset=12 (local.get $at))))
    (local.set $at (i32.add (local.get $at) (i32.const 16)))
    (loop $round
      (local.set $t0
          (i32.xor (i32.load offset=0 (local.get $at))
            (i32.xor
              (i32.xor
                (i32.load offset=0x2400 (i32.shl (i32.shr_u (local.get $s0) (i32.const 24)) (i32.const 2)))
                (i32.rotr (i32.load offset=0x2400 (i32.shl (i32.and (i32.shr_u (local.get $s1) (i32.const 16)) (i32.const 255)) (i32.const 2))) (i32.const 8)))
              (i32.xor
                (i32.rotr (i32.load offset=0x2400 (i32.shl (i32.and (i32.shr_u (local.get $s2) (i32.const 8)) (i32.const 255)) (i32.const 2))) (i32.const 16))
                (i32.rotl (i32.load offset=0x2400 (i32.shl (i32.and (local.get $s3) (i32.const 255)) (i32.const 2))) (i32.const 8))))))
      (local.set $t1
          (i32.xor (i32.load offset=4 (local.get $at))
            (i32.xor
              (i32.xor
                (i32.load offset=0x2400 (i32.shl (i32.shr_u (local.get $s1) (i32.const 24)) (i32.const 2)))
                (i32.rotr (i32.load offset=0x2400 (i32.shl (i32.and (i32.shr_u (local.get $s2) (i32.const 16)) (i32.const 255)) (i32.const 2))) (i32.const 8)))
              (i32.xor
                (i32.rotr (i32.load offset=0x2400 (i32.shl (i32.and (i32.shr_u (local.get $s3) (i32.const 8)) (i32.const 255)) (i32.const 2))) (i32.const 16))
                (i32.rotl (i32.load offset=0x2400 (i32.shl (i32.and (local.get $s0) (i32.const 255)) (i32.const 2))) (i32.const 8))))))
      (local.set $t2
          (i32.xor (i32.load offset=8 (local.get $at))
            (i32.xor
              (i32.xor
                (i32.load offset=0x2400 (i32.shl (i32.shr_u (local.get $s2) (i32.const 24)) (i32.const 2)))
                (i32.rotr (i32.load offset=0x2400 (i32.shl (i32.and (i32.shr_u (local.get $s3) (i32.const 16)) (i32.const 255)) (i32.const 2))) (i32.const 8)))
              (i32.xor
                (i32.rotr (i32.load offset=0x2400 (i32.shl (i32.and (i32.shr_u (local.get $s0) (i32.const 8)) (i32.const 255)) (i32.const 2))) (i32.const 16))
                (i32.rotl (i32.load offset=0x2400 (i32.shl (i32.and (local.get $s1) (i32.const 255)) (i32.const 2))) (i32.const 8))))))
      (local.set $t3
          (i32.xor (i32.load offset=12 (local.get $at))
            (i32.xor
              (i32.xor
                (i32.load offset=0x2400 (i32.shl (i32.shr_u (local.get $s3) (i32.const 24)) (i32.const 2)))
                (i32.rotr (i32.load offset=0x2400 (i32.shl (i32.and (i32.shr_u (local.get $s0) (i32.const 16)) (i32.const 255)) (i32.const 2))) (i32.const 8)))
              (i32.xor
                (i32.rotr (i32.load offset=0x2400 (i32.shl (i32.and (i32.shr_u (local.get $s1) (i32.const 8)) (i32.const 255)) (i32.const 2))) (i32.const 16))
                (i32.rotl (i32.load offset=0x2400 (i32.shl (i32.and (local.get $s2) (i32.const 255)) (i32.const 2))) (i32.const 8))))))
      (local.set $s0 (local.get $t0))
      (local.set $s1 (local.get $t1))
      (local.set $s2 (local.get $t2))
      (local.set $s3 (local.get $t3))
      (br_if $round (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (local.get $last))))
    (i32.store offset=0x2060 (i32.const 0)
      (i32.xor (i32.load offset=0 (local.get $at))
        (i32.or
          (i32.or (i32.shl (i32.load8_u offset=0x2800 (i32.shr_u (local.get $s0) (i32.const 24))) (i32.const 24)) (i32.shl (i32.load8_u offset=0x2800 (i32.and (i32.shr_u (local.get $s1) (i32.const 16)) (i32.const 255))) (i32.const 16)))
          (i32.or (i32.shl (i32.load8_u offset=0x2800 (i32.and (i32.shr_u (local.get $s2) (i32.const 8)) (i32.const 255))) (i32.const 8)) (i32.load8_u offset=0x2800 (i32.and (local.get $s3) (i32.const 255)))))))
    (i32.store offset=0x2064 (i32.const 0)
      (i32.xor (i32.load offset=4 (local.get $at))
        (i32.or
          (i32.or (i32.shl (i32.load8_u offset=0x2800 (i32.shr_u (local.get $s1) (i32.const 24))) (i32.const 24)) (i32.shl (i32.load8_u offset=0x2800 (i32.and (i32.shr_u (local.get $s2) (i32.const 16)) (i32.const 255))) (i32.const 16)))
          (i32.or (i32.shl (i32.load8_u offset=0x2800 (i32.and (i32.shr_u (local.get $s3) (i32.const 8)) (i32.const 255))) (i32.const 8)) (i32.load8_u offset=0x2800 (i32.and (local.get $s0) (i32.const 255)))))))
    (i32.store offset=0x2068 (i32.const 0)
      (i32.xor (i32.load offset=8 (local.get $at))
        (i32.or
          (i32.or (i32.shl (i32.load8_u offset=0x2800 (i32.shr_u (local.get $s2) (i32.const 24))) (i32.const 24)) (i32.shl (i32.load8_u offset=0x2800 (i32.and (i32.shr_u (local.get $s3) (i32.const 16)) (i32.const 255))) (i32.const 16)))
          (i32.or (i32.shl (i32.load8_u offset=0x2800 (i32.and (i32.shr_u (local.get $s0) (i32.const 8)) (i32.const 255))) (i32.const 8)) (i32.load8_u offset=0x2800 (i32.and (local.get $s1) (i32.const 255)))))))
    (i32.store offset=0x206c (i32.const 0)
      (i32.xor (i32.load offset=12 (local.get $at))
        (i32.or
          (i32.or (i32.shl (i32.load8_u offset=0x2800 (i32.shr_u (local.get $s3) (i32.const 24))) (i32.const 24)) (i32.shl (i32.load8_u offset=0x2800 (i32.and (i32.shr_u (local.get $s0) (i32.const 16)) (i32.const 255))) (i32.const 16)))
          (i32.or (i32.shl (i32.load8_u offset=0x2800 (i32.and (i32.shr_u (local.get $s1) (i32.const 8)) (i32.const 255))) (i32.const 8)) (i32.load8_u offset=0x2800 (i32.and (local.get $s2) (i32.const 255))))))))

  ;; FF1 of two halves below 2^37, see ff1.ts; they are left at 0x2050. At $with:
  ;;   0   where the first and the last round key of AES are
  ;;   8   the four words that each round starts from
  ;;   24  by how many bits the round's number is shifted; whether it goes to the third word
  ;;   32  whether a round takes more than 64 bits of the block
  ;;   40  the ranges of the first and the second half
  (func (export "ff1") (param $with i32) (param $first f64) (param $second f64)
    (local $high i64) (local $low i64) (local $sum i64) (local $range i64) (local $mark i32) (local $in_third i32)
    (local $round i32)
    (local.set $high (i64.trunc_f64_u (local.get $first)))
    (local.set $low (i64.trunc_f64_u (local.get $second)))
    (local.set $in_third (i32.load offset=28 (local.get $with)))
    (loop $next
      (local.set $mark (i32.shl (local.get $round) (i32.load offset=24 (local.get $with))))
      (local.set $range
        (i64.load offset=40 (i32.add (local.get $with) (i32.shl (i32.and (local.get $round) (i32.const 1)) (i32.const 3)))))
      (call $aes
        (i32.load (local.get $with))
        (i32.load offset=4 (local.get $with))
        (i32.load offset=8 (local.get $with))
        (i32.load offset=12 (local.get $with))
        (i32.xor (i32.load offset=16 (local.get $with))
          (i32.xor (i32.wrap_i64 (i64.shr_u (local.get $low) (i64.const 32)))
            (select (local.get $mark) (i32.const 0) (local.get $in_third))))
        (i32.xor (i32.load offset=20 (local.get $with))
          (i32.xor (i32.wrap_i64 (local.get $low))
            (select (i32.const 0) (local.get $mark) (local.get $in_third)))))
      (local.set $sum (i64.rem_u (i64.load32_u offset=0x2060 (i32.const 0)) (local.get $range)))
      (local.set $sum (call $shift (local.get $sum) (i32.load offset=0x2064 (i32.const 0)) (local.get $range)))
      (if (i32.load offset=32 (local.get $with))
        (then
          (local.set $sum (call $shift (local.get $sum) (i32.load offset=0x2068 (i32.const 0)) (local.get $range)))))
      (local.set $sum (i64.rem_u (i64.add (local.get $sum) (local.get $high)) (local.get $range)))
      (local.set $high (local.get $low))
      (local.set $low (local.get $sum))
      (br_if $next (i32.lt_u (local.tee $round (i32.add (local.get $round) (i32.const 1))) (i32.const 10))))
    (f64.store offset=0x2050 (i32.const 0) (f64.convert_i64_u (local.get $high)))
    (f64.store offset=0x2058 (i32.const 0) (f64.convert_i64_u (local.get $low))))

  ;; The remainder of a number below 2^37 that is followed by 32 more bits.
  (func $shift (param $sum i64) (param $word i32) (param $range i64) (result i64)
    (if (result i64) (i64.le_u (local.get $range) (i64.const 0x100000000))
      (then
        (i64.rem_u
          (i64.or (i64.shl (local.get $sum) (i64.const 32)) (i64.extend_i32_u (local.get $word)))
          (local.get $range)))
      (else
        (i64.rem_u
          (i64.or
            (i64.shl
              (i64.rem_u
                (i64.or
                  (i64.shl (local.get $sum) (i64.const 16))
                  (i64.extend_i32_u (i32.shr_u (local.get $word) (i32.const 16))))
                (local.get $range))
              (i64.const 16))
            (i64.extend_i32_u (i32.and (local.get $word) (i32.const 0xffff))))
          (local.get $range)))))

  ;; Four more words of the stream, xoshiro128**, see keyed.ts; at most 16 bytes are in wait before.
  (func $fill
    (local $s0 i32) (local $s1 i32) (local $s2 i32) (local $s3 i32) (local $shifted i32) (local $at i32) (local $left i32)
    (v128.store offset=0x2080 (i32.const 0) (v128.load (global.get $head)))
    (local.set $left (i32.sub (global.get $tail) (global.get $head)))
    (global.set $head (i32.const 0x2080))
    (global.set $tail (i32.add (i32.const 0x2080) (local.get $left)))
    (loop $move
      (v128.store offset=0x2100 (local.get $at) (v128.load offset=0x2140 (local.get $at)))
      (br_if $move (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (i32.const 0x40))))
    (local.set $s0 (i32.load offset=0x2130 (i32.const 0)))
    (local.set $s1 (i32.load offset=0x2134 (i32.const 0)))
    (local.set $s2 (i32.load offset=0x2138 (i32.const 0)))
    (local.set $s3 (i32.load offset=0x213c (i32.const 0)))
    (loop $next
      (i32.store (global.get $tail)
        (i32.mul (i32.rotl (i32.mul (local.get $s1) (i32.const 5)) (i32.const 7)) (i32.const 9)))
      (global.set $tail (i32.add (global.get $tail) (i32.const 4)))
      (local.set $shifted (i32.shl (local.get $s1) (i32.const 9)))
      (local.set $s2 (i32.xor (local.get $s2) (local.get $s0)))
      (local.set $s3 (i32.xor (local.get $s3) (local.get $s1)))
      (local.set $s1 (i32.xor (local.get $s1) (local.get $s2)))
      (local.set $s0 (i32.xor (local.get $s0) (local.get $s3)))
      (local.set $s2 (i32.xor (local.get $s2) (local.get $shifted)))
      (local.set $s3 (i32.rotl (local.get $s3) (i32.const 11)))
      (i32.store offset=0x2100 (local.get $at) (local.get $s0))
      (i32.store offset=0x2104 (local.get $at) (local.get $s1))
      (i32.store offset=0x2108 (local.get $at) (local.get $s2))
      (i32.store offset=0x210c (local.get $at) (local.get $s3))
      (br_if $next (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 16))) (i32.const 0x80)))))

  ;; All ones in each byte whose bit is set.
  (func $spread (param $bits i32) (result v128)
    (local $both v128)
    (local.set $both
      (v128.and
        (i8x16.swizzle (i16x8.splat (local.get $bits)) (v128.const i8x16 0 0 0 0 0 0 0 0 1 1 1 1 1 1 1 1))
        (v128.const i8x16 1 2 4 8 16 32 64 -128 1 2 4 8 16 32 64 -128)))
    (i8x16.eq (local.get $both) (v128.const i8x16 1 2 4 8 16 32 64 -128 1 2 4 8 16 32 64 -128)))

  ;; Writes the text from $from to $end to $to, its letters and digits replaced, and returns where that ends.
  ;;
  ;; A random byte is drawn for each letter and digit in turn, the low bytes of the stream's words first. Sixteen bytes of
  ;; text that are ASCII, or letters of two bytes, are done at once; letters of two bytes are written as one.
  ;; $unicode: other characters of more than a byte stay; if not, each becomes a question mark. $resumed: a text goes on.
  (func $scramble (export "scramble") (param $from i32) (param $end i32) (param $to i32)
    (param $unicode i32) (param $resumed i32) (result i32)
    (local $v v128) (local $small v128) (local $capital v128) (local $drawn v128) (local $rank v128) (local $made v128)
    (local $letter v128) (local $range v128) (local $random v128) (local $difference v128)
    (local $n i32) (local $valid i32) (local $high i32) (local $leads i32) (local $lasts i32) (local $bad i32)
    (local $capitals i32) (local $rest i32) (local $at i32) (local $row i32) (local $last i64)
    (local $mask i32) (local $did i32) (local $kept i32)
    (if (i32.eqz (local.get $resumed))
      (then
        (global.set $head (i32.const 0x2080))
        (global.set $tail (i32.const 0x2080))
        (v128.store offset=0x2170 (i32.const 0) (v128.load offset=0x2010 (i32.const 0)))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $from) (local.get $end)))
        (if (i32.lt_u (i32.sub (global.get $tail) (global.get $head)) (i32.const 16)) (then (call $fill)))
        (local.set $v (v128.load (local.get $from)))
        (local.set $n (i32.sub (local.get $end) (local.get $from)))
        (if (i32.gt_u (local.get $n) (i32.const 16)) (then (local.set $n (i32.const 16))))
        (local.set $valid (i32.sub (i32.shl (i32.const 1) (local.get $n)) (i32.const 1)))
        (local.set $small
          (i8x16.lt_u
            (i8x16.sub (local.get $v) (v128.const i8x16 97 97 97 97 97 97 97 97 97 97 97 97 97 97 97 97))
            (v128.const i8x16 26 26 26 26 26 26 26 26 26 26 26 26 26 26 26 26)))
        (local.set $capital
          (i8x16.lt_u
            (i8x16.sub (local.get $v) (v128.const i8x16 65 65 65 65 65 65 65 65 65 65 65 65 65 65 65 65))
            (v128.const i8x16 26 26 26 26 26 26 26 26 26 26 26 26 26 26 26 26)))
        (local.set $leads (i32.const 0))
        (local.set $high (i32.and (i8x16.bitmask (local.get $v)) (local.get $valid)))
        (if (local.get $high)
          (then
            (local.set $leads
              (i32.and (local.get $valid)
                (i8x16.bitmask
                  (i8x16.eq
                    (v128.and (local.get $v)
                      (v128.const i8x16 0xe0 0xe0 0xe0 0xe0 0xe0 0xe0 0xe0 0xe0 0xe0 0xe0 0xe0 0xe0 0xe0 0xe0 0xe0 0xe0))
                    (v128.const i8x16 0xc0 0xc0 0xc0 0xc0 0xc0 0xc0 0xc0 0xc0 0xc0 0xc0 0xc0 0xc0 0xc0 0xc0 0xc0 0xc0)))))
            ;; Each last byte stands behind a lead byte and each lead byte before a last one, or the block ends before it.
            (local.set $lasts (i32.xor (local.get $high) (local.get $leads)))
            (local.set $bad (i32.xor (i32.shl (local.get $leads) (i32.const 1)) (local.get $lasts)))
            (local.set $capitals (i32.const 0))
            (local.set $rest (i32.and (local.get $leads) (i32.shr_u (local.get $valid) (i32.const 1))))
            (block $looked
              (loop $look
                (br_if $looked (i32.eqz (local.get $rest)))
                (local.set $at (i32.ctz (local.get $rest)))
                (local.set $rest (i32.and (local.get $rest) (i32.sub (local.get $rest) (i32.const 1))))
                (local.set $row
                  (i32.shl
                    (i32.and (i32.load8_u (i32.add (local.get $from) (local.get $at))) (i32.const 31))
                    (i32.const 3)))
                ;; A shift takes the low six bits of its count.
                (local.set $last (i64.load8_u offset=1 (i32.add (local.get $from) (local.get $at))))
                (local.set $bad
                  (i32.or (local.get $bad)
                    (i32.shl
                      (i32.and (i32.const 1)
                        (i32.xor (i32.const 1)
                          (i32.wrap_i64 (i64.shr_u (i64.load offset=0x1600 (local.get $row)) (local.get $last)))))
                      (local.get $at))))
                (local.set $capitals
                  (i32.or (local.get $capitals)
                    (i32.shl
                      (i32.and (i32.const 1)
                        (i32.wrap_i64 (i64.shr_u (i64.load offset=0x1700 (local.get $row)) (local.get $last))))
                      (i32.add (local.get $at) (i32.const 1)))))
                (br $look)))
            (if (local.get $bad)
              (then
                (local.set $n (i32.ctz (local.get $bad)))
                (if (i32.and (i32.shr_u (i32.shl (local.get $leads) (i32.const 1)) (local.get $n)) (i32.const 1))
                  (then (local.set $n (i32.sub (local.get $n) (i32.const 1)))))
                (if (i32.eqz (local.get $n))
                  (then
                    ;; a character by itself
                    (local.set $kept (call $length (local.get $from) (local.get $end)))
                    (local.set $mask (i32.const 0))
                    (if (local.get $kept)
                      (then (local.set $mask (call $classify (call $codePoint (local.get $from) (local.get $kept))))))
                    (if (local.get $mask)
                      (then
                        ;; 1: small letter, 2: capital, 3: digit
                        (local.set $at (i32.eq (local.get $mask) (i32.const 3)))
                        (i32.store8 (local.get $to)
                          (i32.add
                            (select (i32.const 0x30)
                              (i32.sub (i32.const 0x81) (i32.shl (local.get $mask) (i32.const 5)))
                              (local.get $at))
                            (i32.shr_u
                              (i32.mul (i32.load8_u (global.get $head))
                                (select (i32.const 10) (i32.const 26) (local.get $at)))
                              (i32.const 8))))
                        (global.set $head (i32.add (global.get $head) (i32.const 1)))
                        (local.set $to (i32.add (local.get $to) (i32.const 1)))
                        (local.set $did (i32.const 3)))
                      (else
                        (if (i32.and (local.get $unicode) (i32.ne (local.get $kept) (i32.const 0)))
                          (then
                            (i32.store (local.get $to) (i32.load (local.get $from)))
                            (local.set $to (i32.add (local.get $to) (local.get $kept))))
                          (else
                            (i32.store8 (local.get $to) (i32.const 0x3f))
                            (local.set $to (i32.add (local.get $to) (i32.const 1)))
                            (local.set $did (i32.or (local.get $did) (i32.const 2)))))))
                    (local.set $from
                      (i32.add (local.get $from) (select (local.get $kept) (i32.const 1) (local.get $kept))))
                    (br $next)))
                (local.set $valid (i32.sub (i32.shl (i32.const 1) (local.get $n)) (i32.const 1)))
                (local.set $leads (i32.and (local.get $leads) (local.get $valid)))
                (local.set $lasts (i32.and (local.get $lasts) (local.get $valid)))))
            (local.set $made (call $spread (local.get $capitals)))
            (local.set $capital (v128.or (local.get $capital) (local.get $made)))
            (local.set $small
              (v128.or (local.get $small) (v128.andnot (call $spread (local.get $lasts)) (local.get $made))))))
        (local.set $letter (v128.or (local.get $small) (local.get $capital)))
        (local.set $range (call $spread (local.get $valid)))
        (local.set $drawn
          (v128.and (local.get $range)
            (v128.or (local.get $letter)
              (i8x16.lt_u
                (i8x16.sub (local.get $v) (v128.const i8x16 48 48 48 48 48 48 48 48 48 48 48 48 48 48 48 48))
                (v128.const i8x16 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10)))))
        (local.set $mask (i8x16.bitmask (local.get $drawn)))
        ;; The how manieth of the drawn each is, from one on: sums over 2, 4, 8 and 16 bytes.
        (local.set $rank (v128.and (local.get $drawn) (v128.const i8x16 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1)))
        (local.set $rank
          (i8x16.add (local.get $rank)
            (i8x16.shuffle 0 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30
              (v128.const i64x2 0 0) (local.get $rank))))
        (local.set $rank
          (i8x16.add (local.get $rank)
            (i8x16.shuffle 0 0 16 17 18 19 20 21 22 23 24 25 26 27 28 29
              (v128.const i64x2 0 0) (local.get $rank))))
        (local.set $rank
          (i8x16.add (local.get $rank)
            (i8x16.shuffle 0 0 0 0 16 17 18 19 20 21 22 23 24 25 26 27
              (v128.const i64x2 0 0) (local.get $rank))))
        (local.set $rank
          (i8x16.add (local.get $rank)
            (i8x16.shuffle 0 0 0 0 0 0 0 0 16 17 18 19 20 21 22 23
              (v128.const i64x2 0 0) (local.get $rank))))
        (local.set $random
          (i8x16.swizzle (v128.load (global.get $head))
            (i8x16.sub (local.get $rank) (v128.const i8x16 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1))))
        (global.set $head (i32.add (global.get $head) (i32.popcnt (local.get $mask))))
        (local.set $did (i32.or (local.get $did) (i32.ne (local.get $mask) (i32.const 0))))
        ;; the first of its range, and the random byte times how many there are, divided by 256
        (local.set $made
          (v128.bitselect
            (v128.const i8x16 97 97 97 97 97 97 97 97 97 97 97 97 97 97 97 97)
            (v128.bitselect
              (v128.const i8x16 65 65 65 65 65 65 65 65 65 65 65 65 65 65 65 65)
              (v128.const i8x16 48 48 48 48 48 48 48 48 48 48 48 48 48 48 48 48)
              (local.get $capital))
            (local.get $small)))
        (local.set $rank
          (v128.bitselect
            (v128.const i8x16 26 26 26 26 26 26 26 26 26 26 26 26 26 26 26 26)
            (v128.const i8x16 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10)
            (local.get $letter)))
        (local.set $made
          (v128.bitselect
            (i8x16.add (local.get $made)
              (i8x16.narrow_i16x8_u
                (i16x8.shr_u (i16x8.extmul_low_i8x16_u (local.get $random) (local.get $rank)) (i32.const 8))
                (i16x8.shr_u (i16x8.extmul_high_i8x16_u (local.get $random) (local.get $rank)) (i32.const 8))))
            (local.get $v)
            (local.get $drawn)))
        (local.set $from (i32.add (local.get $from) (local.get $n)))
        (if (local.get $leads)
          (then
            ;; without the lead bytes, eight at a time
            (local.set $did (i32.or (local.get $did) (i32.const 2)))
            (local.set $rest (i32.xor (local.get $valid) (local.get $leads)))
            (local.set $at (i32.and (local.get $rest) (i32.const 0xff)))
            (local.set $rest (i32.shr_u (local.get $rest) (i32.const 8)))
            (v128.store64_lane 0 (local.get $to)
              (i8x16.swizzle (local.get $made)
                (v128.load64_zero offset=0x1800 (i32.shl (local.get $at) (i32.const 3)))))
            (local.set $to (i32.add (local.get $to) (i32.popcnt (local.get $at))))
            (v128.store64_lane 0 (local.get $to)
              (i8x16.swizzle
                (i8x16.shuffle 8 9 10 11 12 13 14 15 8 9 10 11 12 13 14 15 (local.get $made) (local.get $made))
                (v128.load64_zero offset=0x1800 (i32.shl (local.get $rest) (i32.const 3)))))
            (local.set $to (i32.add (local.get $to) (i32.popcnt (local.get $rest)))))
          (else
            (local.set $difference
              (v128.or (local.get $difference)
                (v128.and (local.get $range) (v128.xor (local.get $made) (local.get $v)))))
            (v128.store (local.get $to) (local.get $made))
            (local.set $to (i32.add (local.get $to) (local.get $n)))))
        (br $next)))
    (i32.store offset=0x2020 (i32.const 0)
      (i32.or (local.get $did) (i32.shl (v128.any_true (local.get $difference)) (i32.const 1))))
    ;; The stream's state after the last word that a byte was drawn of.
    (v128.store offset=0x2010 (i32.const 0)
      (v128.load offset=0x2100
        (i32.shl
          (i32.sub (i32.const 7) (i32.shr_u (i32.sub (global.get $tail) (global.get $head)) (i32.const 2)))
          (i32.const 4))))
    (local.get $to))

  ;; Reads an original that is to be scrambled, see scramble-text.ts: the stream then begins at its tag. Returns 0 where that
  ;; takes Unicode's own rules.
  (func $begin (param $start i32) (param $end i32) (param $key i32) (result i32)
    (local $head i32) (local $tail i32)
    (block $trimmed
      (loop $trim
        (br_if $trimmed (i32.ge_u (local.get $start) (local.get $end)))
        (br_if $trimmed (i32.ne (i32.load8_u (i32.sub (local.get $end) (i32.const 1))) (i32.const 0x20)))
        (local.set $end (i32.sub (local.get $end) (i32.const 1)))
        (br $trim)))
    (block $trimmed
      (loop $trim
        (br_if $trimmed (i32.ge_u (local.get $start) (local.get $end)))
        (br_if $trimmed (i32.ne (i32.load8_u (local.get $start)) (i32.const 0x20)))
        (local.set $start (i32.add (local.get $start) (i32.const 1)))
        (br $trim)))
    (if (i32.gt_u (i32.sub (local.get $end) (local.get $start)) (i32.const 64))
      (then
        ;; both ends of it, without halves of characters
        (local.set $head (i32.add (local.get $start) (i32.const 48)))
        (loop $back
          (if (i32.and (i32.gt_u (local.get $head) (local.get $start))
              (i32.eq (i32.and (i32.load8_u (local.get $head)) (i32.const 0xc0)) (i32.const 0x80)))
            (then
              (local.set $head (i32.sub (local.get $head) (i32.const 1)))
              (br $back))))
        (local.set $tail (i32.sub (local.get $end) (i32.const 16)))
        (loop $on
          (if (i32.and (i32.lt_u (local.get $tail) (local.get $end))
              (i32.eq (i32.and (i32.load8_u (local.get $tail)) (i32.const 0xc0)) (i32.const 0x80)))
            (then
              (local.set $tail (i32.add (local.get $tail) (i32.const 1)))
              (br $on))))
        (local.set $head (call $append (local.get $start) (local.get $head) (i32.const 0x2c00)))
        (local.set $end (call $append (local.get $tail) (local.get $end) (local.get $head)))
        (local.set $start (i32.const 0x2c00))))
    (if (i32.eqz (call $tag (local.get $start) (local.get $end) (local.get $key) (i32.const 0)))
      (then (return (i32.const 0))))
    (call $seed)
    (i32.const 1))

  ;; Writes the text from $start to $end to $to with every letter and digit replaced, drawn anew up to 16 times while nothing
  ;; changed. Returns where it ends; 0 where that takes Unicode's own rules.
  (func $scrambled (export "scrambled") (param $start i32) (param $end i32) (param $to i32) (param $unicode i32) (param $key i32)
    (result i32)
    (local $written i32) (local $draws i32)
    (if (i32.eqz (call $begin (local.get $start) (local.get $end) (local.get $key))) (then (return (i32.const 0))))
    (local.set $draws (i32.const 16))
    (loop $draw
      (local.set $written
        (call $scramble (local.get $start) (local.get $end) (local.get $to) (local.get $unicode) (i32.const 0)))
      (local.set $draws (i32.sub (local.get $draws) (i32.const 1)))
      (br_if $draw
        (i32.and (i32.eq (i32.load offset=0x2020 (i32.const 0)) (i32.const 1)) (i32.ne (local.get $draws) (i32.const 0)))))
    (local.get $written))

  ;; The same for a number: its digits change, but for the exponent, and no leading zero appears.
  (func $number (param $start i32) (param $end i32) (param $to i32) (param $key i32) (result i32)
    (local $first i32) (local $at i32) (local $byte i32) (local $digit i32) (local $exponent i32) (local $changed i32)
    (local $draws i32) (local $long i32)
    (drop (call $begin (local.get $start) (local.get $end) (local.get $key)))
    (local.set $first
      (i32.add (local.get $start) (i32.eq (i32.load8_u (local.get $start)) (i32.const 0x2d))))
    (local.set $long
      (i32.and
        (i32.lt_u (i32.add (local.get $first) (i32.const 1)) (local.get $end))
        (i32.lt_u (i32.sub (i32.load8_u offset=1 (local.get $first)) (i32.const 0x30)) (i32.const 10))))
    (local.set $to (i32.sub (local.get $to) (local.get $start)))
    (local.set $draws (i32.const 16))
    (loop $draw
      (local.set $exponent (i32.const 0))
      (local.set $at (local.get $start))
      (loop $next
        (local.set $byte (i32.load8_u (local.get $at)))
        (if (i32.eq (i32.or (local.get $byte) (i32.const 0x20)) (i32.const 0x65))
          (then (local.set $exponent (i32.const 1))))
        (local.set $digit (local.get $byte))
        (if (i32.and (i32.eqz (local.get $exponent))
            (i32.lt_u (i32.sub (local.get $byte) (i32.const 0x30)) (i32.const 10)))
          (then
            (loop $again
              ;; of the low byte of the next word
              (local.set $digit
                (i32.add (i32.const 0x30)
                  (i32.shr_u (i32.mul (i32.and (call $next) (i32.const 0xff)) (i32.const 10)) (i32.const 8))))
              (br_if $again
                (i32.and (local.get $long)
                  (i32.and (i32.eq (local.get $digit) (i32.const 0x30)) (i32.eq (local.get $at) (local.get $first))))))
            (local.set $changed (i32.or (local.get $changed) (i32.ne (local.get $digit) (local.get $byte))))))
        (i32.store8 (i32.add (local.get $to) (local.get $at)) (local.get $digit))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
      (local.set $draws (i32.sub (local.get $draws) (i32.const 1)))
      (br_if $draw (i32.and (i32.eqz (local.get $changed)) (i32.ne (local.get $draws) (i32.const 0)))))
    (i32.add (local.get $to) (local.get $end)))

  ;; Writes the JSON text from $from to $end to $to, its values scrambled one by one, its keys kept; see scramble-json.ts. It
  ;; stops before a value that takes more than that, or that may go on behind $end where this is not the $last piece.
  ;; Returns where it wrote to, and leaves where it stopped at 0x2024.
  (func (export "json") (param $from i32) (param $end i32) (param $to i32) (param $unicode i32) (param $last i32) (param $key i32)
    (result i32)
    (local $at i32) (local $stop i32) (local $look i32) (local $escaped i32) (local $written i32) (local $v v128)
    (local.set $at (local.get $from))
    (block $stopped
      (loop $next
        (if (i32.ge_u (local.get $at) (local.get $end))
          (then
            (local.set $at (local.get $end))
            (br $stopped)))
        ;; the next quote, minus or digit
        (local.set $v (v128.load (local.get $at)))
        (local.set $stop
          (i32.ctz
            (i32.or (i32.const 0x10000)
              (i8x16.bitmask
                (v128.or
                  (i8x16.eq (local.get $v) (v128.const i8x16 34 34 34 34 34 34 34 34 34 34 34 34 34 34 34 34))
                  (v128.or
                    (i8x16.eq (local.get $v) (v128.const i8x16 45 45 45 45 45 45 45 45 45 45 45 45 45 45 45 45))
                    (i8x16.lt_u
                      (i8x16.sub (local.get $v) (v128.const i8x16 48 48 48 48 48 48 48 48 48 48 48 48 48 48 48 48))
                      (v128.const i8x16 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10 10))))))))
        (local.set $at (i32.add (local.get $at) (local.get $stop)))
        (br_if $next (i32.eq (local.get $stop) (i32.const 16)))
        (br_if $next (i32.ge_u (local.get $at) (local.get $end)))
        (if (i32.eq (i32.load8_u (local.get $at)) (i32.const 0x22))
          (then
            ;; a string: its end
            (local.set $escaped (i32.const 0))
            (local.set $stop (i32.add (local.get $at) (i32.const 1)))
            (loop $string
              (local.set $v (v128.load (local.get $stop)))
              (local.set $look
                (i32.ctz
                  (i32.or (i32.const 0x10000)
                    (i8x16.bitmask
                      (v128.or
                        (i8x16.eq (local.get $v) (v128.const i8x16 34 34 34 34 34 34 34 34 34 34 34 34 34 34 34 34))
                        (i8x16.eq (local.get $v) (v128.const i8x16 92 92 92 92 92 92 92 92 92 92 92 92 92 92 92 92)))))))
              (local.set $stop (i32.add (local.get $stop) (local.get $look)))
              (br_if $stopped (i32.ge_u (local.get $stop) (local.get $end)))
              (br_if $string (i32.eq (local.get $look) (i32.const 16)))
              (if (i32.eq (i32.load8_u (local.get $stop)) (i32.const 0x5c))
                (then
                  (local.set $escaped (i32.const 1))
                  (local.set $stop (i32.add (local.get $stop) (i32.const 2)))
                  (br_if $stopped (i32.ge_u (local.get $stop) (local.get $end)))
                  (br $string))))
            ;; a key is followed by a colon
            (local.set $look (local.get $stop))
            (loop $white
              (local.set $look (i32.add (local.get $look) (i32.const 1)))
              (if (i32.lt_u (local.get $look) (local.get $end))
                (then (br_if $white (i32.le_u (i32.load8_u (local.get $look)) (i32.const 0x20))))
                (else (br_if $stopped (i32.eqz (local.get $last))))))
            (if (i32.and (i32.lt_u (local.get $look) (local.get $end))
                (i32.eq (i32.load8_u (local.get $look)) (i32.const 0x3a)))
              (then
                (local.set $at (i32.add (local.get $look) (i32.const 1)))
                (br $next)))
            (br_if $stopped (local.get $escaped))
            (local.set $written (call $append (local.get $from) (i32.add (local.get $at) (i32.const 1)) (local.get $to)))
            (local.set $written
              (call $scrambled (i32.add (local.get $at) (i32.const 1)) (local.get $stop) (local.get $written)
                (local.get $unicode) (local.get $key)))
            (br_if $stopped (i32.eqz (local.get $written)))
            (local.set $to (local.get $written))
            (local.set $from (local.get $stop))
            (local.set $at (i32.add (local.get $stop) (i32.const 1)))
            (br $next)))
        ;; a number: its end
        (local.set $stop (local.get $at))
        (loop $digit
          (local.set $stop (i32.add (local.get $stop) (i32.const 1)))
          (if (i32.lt_u (local.get $stop) (local.get $end))
            (then (br_if $digit (call $inNumber (i32.load8_u (local.get $stop)))))
            (else (br_if $stopped (i32.eqz (local.get $last))))))
        (local.set $to (call $append (local.get $from) (local.get $at) (local.get $to)))
        (local.set $to (call $number (local.get $at) (local.get $stop) (local.get $to) (local.get $key)))
        (local.set $from (local.get $stop))
        (local.set $at (local.get $stop))
        (br $next)))
    (i32.store offset=0x2024 (i32.const 0) (local.get $at))
    (call $append (local.get $from) (local.get $at) (local.get $to)))

  ;; 0-9 + - . e E
  (func $inNumber (param $byte i32) (result i32)
    (i32.or
      (i32.lt_u (i32.sub (local.get $byte) (i32.const 0x30)) (i32.const 10))
      (i32.or
        (i32.eq (i32.or (local.get $byte) (i32.const 0x20)) (i32.const 0x65))
        (i32.or
          (i32.eq (local.get $byte) (i32.const 0x2b))
          (i32.lt_u (i32.sub (local.get $byte) (i32.const 0x2d)) (i32.const 2))))))

  ;; Length in bytes of the well-formed UTF-8 sequence of more than one byte at $at; 0 where there is none.
  (func $length (param $at i32) (param $end i32) (result i32)
    (local $lead i32) (local $second i32) (local $length i32)
    (local.set $lead (i32.load8_u (local.get $at)))
    (if (i32.lt_u (local.get $lead) (i32.const 0xc2)) (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $lead) (i32.const 0xf4)) (then (return (i32.const 0))))
    (local.set $length
      (i32.add (i32.const 2)
        (i32.add (i32.ge_u (local.get $lead) (i32.const 0xe0)) (i32.ge_u (local.get $lead) (i32.const 0xf0)))))
    (if (i32.gt_u (i32.add (local.get $at) (local.get $length)) (local.get $end)) (then (return (i32.const 0))))
    (local.set $second (i32.load8_u offset=1 (local.get $at)))
    (if (i32.ne (i32.and (local.get $second) (i32.const 0xc0)) (i32.const 0x80)) (then (return (i32.const 0))))
    ;; neither longer than it need be, nor a surrogate, nor beyond U+10FFFF
    (if (i32.and (i32.eq (local.get $lead) (i32.const 0xe0)) (i32.lt_u (local.get $second) (i32.const 0xa0)))
      (then (return (i32.const 0))))
    (if (i32.and (i32.eq (local.get $lead) (i32.const 0xed)) (i32.gt_u (local.get $second) (i32.const 0x9f)))
      (then (return (i32.const 0))))
    (if (i32.and (i32.eq (local.get $lead) (i32.const 0xf0)) (i32.lt_u (local.get $second) (i32.const 0x90)))
      (then (return (i32.const 0))))
    (if (i32.and (i32.eq (local.get $lead) (i32.const 0xf4)) (i32.gt_u (local.get $second) (i32.const 0x8f)))
      (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $length) (i32.const 2))
      (then
        (if (i32.ne (i32.and (i32.load8_u offset=2 (local.get $at)) (i32.const 0xc0)) (i32.const 0x80))
          (then (return (i32.const 0))))))
    (if (i32.eq (local.get $length) (i32.const 4))
      (then
        (if (i32.ne (i32.and (i32.load8_u offset=3 (local.get $at)) (i32.const 0xc0)) (i32.const 0x80))
          (then (return (i32.const 0))))))
    (local.get $length))

  ;; The code point of the sequence of $length bytes at $at, two to four.
  (func $codePoint (param $at i32) (param $length i32) (result i32)
    (local $value i32)
    (local.set $value
      (i32.and (i32.load8_u (local.get $at)) (i32.shr_u (i32.const 0xff) (i32.add (local.get $length) (i32.const 1)))))
    (loop $next
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (local.set $value
        (i32.or (i32.shl (local.get $value) (i32.const 6)) (i32.and (i32.load8_u (local.get $at)) (i32.const 0x3f))))
      (br_if $next (i32.gt_u (local.tee $length (i32.sub (local.get $length) (i32.const 1))) (i32.const 1))))
    (local.get $value)))
