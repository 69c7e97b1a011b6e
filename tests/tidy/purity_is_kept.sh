#!/usr/bin/env bash
# A library that computes passes tools/purity.sh; one that looks at the clock, at chance or at the
# world is found, also when a library it may call would not be to blame.
# usage: purity_is_kept.sh C_COMPILER
set -euo pipefail
purity=$(cd "$(dirname "$0")/../../tools" && pwd)/purity.sh
cc=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cd "$tree"

library() { # NAME, C text
    printf '%s\n' "$2" >"$1.c"
    "$cc" -c "$1.c" -o "$1.o"
    rm -f "lib$1.a"
    ar rc "lib$1.a" "$1.o"
}
library friend '#include <string.h>
int friend(const char *text) { return (int)strlen(text); }'
library good 'int friend(const char *); int good(void) { return friend("x"); }'
"$purity" libgood.a libfriend.a

failed=0
found() { # WHAT, the call by which it is found, LIBRARY...
    local what=$1 call=$2
    shift 2
    if "$purity" "$@" >said 2>&1 || ! grep -q "$call" said; then
        echo "not found: $what"
        failed=1
    fi
}
found "a call of nobody's" friend libgood.a
library clock '#include <time.h>
long clock_now(void) { return time(0); }'
found "the clock" time libclock.a libfriend.a
library chance '#include <stdlib.h>
int chance(void) { return rand(); }'
found chance rand libchance.a libfriend.a
library world '#include <stdio.h>
void world(void) { puts("x"); }'
found "the world" puts libworld.a libfriend.a
exit $failed
