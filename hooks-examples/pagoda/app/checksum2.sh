#!/bin/bash
# Every file that checksums2.txt names has the checksum that stands there.
set -e
while read -r sum size name; do
  [ "$(cksum < "$name")" = "$sum $size" ] || { echo "$name: FAILED"; exit 1; }
  echo "$name: OK"
done < checksums2.txt
