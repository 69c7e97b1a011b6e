#!/bin/sh
# Every C file stands as clang-format writes it. Run from the root; `./dev fmt` mends.
set -eu
found=$(git ls-files --cached --others --exclude-standard -- '*.c' '*.h' |
    xargs -r -d '\n' clang-format-14 --dry-run -Werror 2>&1) && exit 0
# The first place in each file is enough.
echo "$found" | sed -nE 's/^([^: ]+:[0-9]+):.*(error|warning):.*/\1/p' | sort -t: -k1,1 -u | grep . ||
    echo "$found"
echo 'not as clang-format writes it; mend with: ./dev fmt'
exit 1
