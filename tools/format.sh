#!/bin/sh
# Every C file stands as clang-format writes it. Run from the root; `./dev fmt` mends.
set -eu
found=$(git ls-files --cached --others --exclude-standard -- '*.c' '*.h' |
    xargs -r -d '\n' clang-format-14 --dry-run -Werror 2>&1) && exit 0
# One line per place instead of three.
echo "$found" | grep -E ': (error|warning):' || echo "$found"
echo 'mend with: ./dev fmt'
exit 1
