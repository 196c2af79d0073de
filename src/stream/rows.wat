;; The hot loop of row digests: finds rows, hashes them, takes PostgreSQL's framing off. What it computes and
;; promises is said in rows.ts. `node scripts/assemble.mjs` turns this file into rows-module.ts.
;;
;; Memory belongs to the caller and never grows. Loads reach up to 15 bytes beyond what they were told to read,
;; $strip writes up to 15 bytes beyond what it hands over: the caller leaves that much room.
(module
  (memory (export "memory") 64 64)

  ;; SipHash's starting values under the key
  (global $start0 (mut i64) (i64.const 0))
  (global $start1 (mut i64) (i64.const 0))
  (global $start2 (mut i64) (i64.const 0))
  (global $start3 (mut i64) (i64.const 0))

  ;; the row in hand: its state, and how many of its bytes are in that state (whole words)
  (global $state0 (mut i64) (i64.const 0))
  (global $state1 (mut i64) (i64.const 0))
  (global $state2 (mut i64) (i64.const 0))
  (global $state3 (mut i64) (i64.const 0))
  (global $length (export "length") (mut i64) (i64.const 0))

  ;; the sum of the row hashes, and what was counted
  (global $low (export "low") (mut i64) (i64.const 0))
  (global $high (export "high") (mut i64) (i64.const 0))
  (global $rows (export "rows") (mut i64) (i64.const 0))
  (global $messages (export "messages") (mut i64) (i64.const 0))

  ;; where $strip's output ends
  (global $out (export "out") (mut i32) (i32.const 0))

  ;; Sets the key: its 16 bytes as two little-endian words. The 0xee makes it the variant of 128 bits.
  (func (export "key") (param $k0 i64) (param $k1 i64)
    (global.set $start0 (i64.xor (local.get $k0) (i64.const 0x736f6d6570736575)))
    (global.set $start1 (i64.xor (i64.xor (local.get $k1) (i64.const 0x646f72616e646f6d)) (i64.const 0xee)))
    (global.set $start2 (i64.xor (local.get $k0) (i64.const 0x6c7967656e657261)))
    (global.set $start3 (i64.xor (local.get $k1) (i64.const 0x7465646279746573))))

  ;; Forgets all rows.
  (func (export "reset")
    (global.set $low (i64.const 0))
    (global.set $high (i64.const 0))
    (global.set $rows (i64.const 0))
    (global.set $messages (i64.const 0))
    (global.set $length (i64.const 0))
    (global.set $state0 (global.get $start0))
    (global.set $state1 (global.get $start1))
    (global.set $state2 (global.get $start2))
    (global.set $state3 (global.get $start3)))

  ;; Hashes the bytes from $p to $end, which go on where the last call stopped; each 0x0A ends a row. Returns
  ;; where it stopped: fewer than 8 bytes before $end, to be given again in front of what follows.
  ;;
  ;; One step takes the word at $p. It is looked through for 0x0A while SipHash's rounds, a chain of dependent
  ;; operations, leave the processor's other units idle.
  (func (export "hash") (param $p i32) (param $end i32) (result i32)
    (local $v0 i64) (local $v1 i64) (local $v2 i64) (local $v3 i64)
    (local $word i64) (local $marks i64) (local $length i64) (local $sum i64) (local $round i32)
    (local.set $v0 (global.get $state0))
    (local.set $v1 (global.get $state1))
    (local.set $v2 (global.get $state2))
    (local.set $v3 (global.get $state3))
    (local.set $length (global.get $length))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $p) (local.get $end)))
        (local.set $word (i64.load align=1 (local.get $p)))
        ;; Marks the top bit of bytes that are 0x0A: exact up to the lowest one marked, which is the first
        (local.set $marks (i64.xor (local.get $word) (i64.const 0x0a0a0a0a0a0a0a0a)))
        (local.set $marks
          (i64.and
            (i64.and
              (i64.sub (local.get $marks) (i64.const 0x0101010101010101))
              (i64.xor (local.get $marks) (i64.const -1)))
            (i64.const 0x8080808080808080)))
        (if (i64.eqz (local.get $marks))
          (then
            (br_if $done (i32.gt_u (i32.add (local.get $p) (i32.const 8)) (local.get $end)))
            (local.set $p (i32.add (local.get $p) (i32.const 8)))
            (local.set $length (i64.add (local.get $length) (i64.const 8))))
          (else
            ;; In bits: how much of the word comes before the 0x0A
            (local.set $marks (i64.and (i64.ctz (local.get $marks)) (i64.const 0x38)))
            (local.set $round (i32.wrap_i64 (i64.shr_u (local.get $marks) (i64.const 3))))
            (br_if $done (i32.ge_u (i32.add (local.get $p) (local.get $round)) (local.get $end)))
            (local.set $p (i32.add (i32.add (local.get $p) (local.get $round)) (i32.const 1)))
            (local.set $length
              (i64.add (local.get $length) (i64.extend_i32_u (local.get $round))))
            ;; SipHash's last word: the bytes left over, and on top the length modulo 256
            (local.set $word
              (i64.or
                (i64.and
                  (local.get $word)
                  (i64.sub (i64.shl (i64.const 1) (local.get $marks)) (i64.const 1)))
                (i64.shl (local.get $length) (i64.const 56))))
            (local.set $marks (i64.const 1))))

        ;; Takes the word in: two rounds
        (local.set $v3 (i64.xor (local.get $v3) (local.get $word)))
        (local.set $v0 (i64.add (local.get $v0) (local.get $v1)))
        (local.set $v1 (i64.rotl (local.get $v1) (i64.const 13)))
        (local.set $v1 (i64.xor (local.get $v1) (local.get $v0)))
        (local.set $v0 (i64.rotl (local.get $v0) (i64.const 32)))
        (local.set $v2 (i64.add (local.get $v2) (local.get $v3)))
        (local.set $v3 (i64.rotl (local.get $v3) (i64.const 16)))
        (local.set $v3 (i64.xor (local.get $v3) (local.get $v2)))
        (local.set $v0 (i64.add (local.get $v0) (local.get $v3)))
        (local.set $v3 (i64.rotl (local.get $v3) (i64.const 21)))
        (local.set $v3 (i64.xor (local.get $v3) (local.get $v0)))
        (local.set $v2 (i64.add (local.get $v2) (local.get $v1)))
        (local.set $v1 (i64.rotl (local.get $v1) (i64.const 17)))
        (local.set $v1 (i64.xor (local.get $v1) (local.get $v2)))
        (local.set $v2 (i64.rotl (local.get $v2) (i64.const 32)))
        (local.set $v0 (i64.add (local.get $v0) (local.get $v1)))
        (local.set $v1 (i64.rotl (local.get $v1) (i64.const 13)))
        (local.set $v1 (i64.xor (local.get $v1) (local.get $v0)))
        (local.set $v0 (i64.rotl (local.get $v0) (i64.const 32)))
        (local.set $v2 (i64.add (local.get $v2) (local.get $v3)))
        (local.set $v3 (i64.rotl (local.get $v3) (i64.const 16)))
        (local.set $v3 (i64.xor (local.get $v3) (local.get $v2)))
        (local.set $v0 (i64.add (local.get $v0) (local.get $v3)))
        (local.set $v3 (i64.rotl (local.get $v3) (i64.const 21)))
        (local.set $v3 (i64.xor (local.get $v3) (local.get $v0)))
        (local.set $v2 (i64.add (local.get $v2) (local.get $v1)))
        (local.set $v1 (i64.rotl (local.get $v1) (i64.const 17)))
        (local.set $v1 (i64.xor (local.get $v1) (local.get $v2)))
        (local.set $v2 (i64.rotl (local.get $v2) (i64.const 32)))
        (local.set $v0 (i64.xor (local.get $v0) (local.get $word)))
        (br_if $next (i64.eqz (local.get $marks)))

        ;; The row ends: four rounds, the lower half of the hash, four rounds, the upper half
        (local.set $v2 (i64.xor (local.get $v2) (i64.const 0xee)))
        (local.set $round (i32.const 4))
        (loop $lower
          (local.set $v0 (i64.add (local.get $v0) (local.get $v1)))
          (local.set $v1 (i64.rotl (local.get $v1) (i64.const 13)))
          (local.set $v1 (i64.xor (local.get $v1) (local.get $v0)))
          (local.set $v0 (i64.rotl (local.get $v0) (i64.const 32)))
          (local.set $v2 (i64.add (local.get $v2) (local.get $v3)))
          (local.set $v3 (i64.rotl (local.get $v3) (i64.const 16)))
          (local.set $v3 (i64.xor (local.get $v3) (local.get $v2)))
          (local.set $v0 (i64.add (local.get $v0) (local.get $v3)))
          (local.set $v3 (i64.rotl (local.get $v3) (i64.const 21)))
          (local.set $v3 (i64.xor (local.get $v3) (local.get $v0)))
          (local.set $v2 (i64.add (local.get $v2) (local.get $v1)))
          (local.set $v1 (i64.rotl (local.get $v1) (i64.const 17)))
          (local.set $v1 (i64.xor (local.get $v1) (local.get $v2)))
          (local.set $v2 (i64.rotl (local.get $v2) (i64.const 32)))
          (br_if $lower
            (local.tee $round (i32.sub (local.get $round) (i32.const 1)))))
        (local.set $word
          (i64.xor
            (i64.xor (local.get $v0) (local.get $v1))
            (i64.xor (local.get $v2) (local.get $v3))))
        (local.set $v1 (i64.xor (local.get $v1) (i64.const 0xdd)))
        (local.set $round (i32.const 4))
        (loop $upper
          (local.set $v0 (i64.add (local.get $v0) (local.get $v1)))
          (local.set $v1 (i64.rotl (local.get $v1) (i64.const 13)))
          (local.set $v1 (i64.xor (local.get $v1) (local.get $v0)))
          (local.set $v0 (i64.rotl (local.get $v0) (i64.const 32)))
          (local.set $v2 (i64.add (local.get $v2) (local.get $v3)))
          (local.set $v3 (i64.rotl (local.get $v3) (i64.const 16)))
          (local.set $v3 (i64.xor (local.get $v3) (local.get $v2)))
          (local.set $v0 (i64.add (local.get $v0) (local.get $v3)))
          (local.set $v3 (i64.rotl (local.get $v3) (i64.const 21)))
          (local.set $v3 (i64.xor (local.get $v3) (local.get $v0)))
          (local.set $v2 (i64.add (local.get $v2) (local.get $v1)))
          (local.set $v1 (i64.rotl (local.get $v1) (i64.const 17)))
          (local.set $v1 (i64.xor (local.get $v1) (local.get $v2)))
          (local.set $v2 (i64.rotl (local.get $v2) (i64.const 32)))
          (br_if $upper
            (local.tee $round (i32.sub (local.get $round) (i32.const 1)))))
        (local.set $sum (i64.add (global.get $low) (local.get $word)))
        (global.set $low (local.get $sum))
        (global.set $high
          (i64.add
            (i64.add
              (global.get $high)
              (i64.extend_i32_u (i64.lt_u (local.get $sum) (local.get $word))))
            (i64.xor
              (i64.xor (local.get $v0) (local.get $v1))
              (i64.xor (local.get $v2) (local.get $v3)))))
        (global.set $rows (i64.add (global.get $rows) (i64.const 1)))
        (local.set $v0 (global.get $start0))
        (local.set $v1 (global.get $start1))
        (local.set $v2 (global.get $start2))
        (local.set $v3 (global.get $start3))
        (local.set $length (i64.const 0))
        (br $next)))
    (global.set $state0 (local.get $v0))
    (global.set $state1 (local.get $v1))
    (global.set $state2 (local.get $v2))
    (global.set $state3 (local.get $v3))
    (global.set $length (local.get $length))
    (local.get $p))

  ;; Puts the contents of the whole CopyData messages between $p and $end one after the other at $out. Returns
  ;; where it stopped: at $end, or before a message that is not whole, no CopyData, or not one line.
  (func (export "strip") (param $p i32) (param $end i32) (param $out i32) (result i32)
    (local $size i32) (local $next i32)
    (block $done
      (loop $message
        (br_if $done (i32.lt_s (i32.sub (local.get $end) (local.get $p)) (i32.const 6)))
        (br_if $done (i32.ne (i32.load8_u (local.get $p)) (i32.const 0x64)))
        ;; The length is big-endian and counts itself
        (local.set $size (i32.load offset=1 align=1 (local.get $p)))
        (local.set $size
          (i32.or
            (i32.rotl (i32.and (local.get $size) (i32.const 0xff00ff00)) (i32.const 8))
            (i32.rotl (i32.and (local.get $size) (i32.const 0x00ff00ff)) (i32.const 24))))
        (br_if $done (i32.lt_u (local.get $size) (i32.const 5)))
        (br_if $done
          (i32.ge_u (local.get $size) (i32.sub (local.get $end) (local.get $p))))
        (local.set $next (i32.add (i32.add (local.get $p) (local.get $size)) (i32.const 1)))
        (br_if $done (i32.ne (i32.load8_u (i32.sub (local.get $next) (i32.const 1))) (i32.const 0x0a)))
        (local.set $size (i32.sub (local.get $size) (i32.const 4)))
        (local.set $p (i32.add (local.get $p) (i32.const 5)))
        (global.set $messages (i64.add (global.get $messages) (i64.const 1)))
        ;; Rows are short: a loop of 16 bytes a step costs less than calling memory.copy
        (loop $copy
          (v128.store align=1 (local.get $out) (v128.load align=1 (local.get $p)))
          (local.set $out (i32.add (local.get $out) (i32.const 16)))
          (local.set $p (i32.add (local.get $p) (i32.const 16)))
          (br_if $copy (i32.lt_u (local.get $p) (local.get $next))))
        (local.set $out (i32.sub (local.get $out) (i32.sub (local.get $p) (local.get $next))))
        (local.set $p (local.get $next))
        (br $message)))
    (global.set $out (local.get $out))
    (local.get $p)))
