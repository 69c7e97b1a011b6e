#!/bin/sh
# A pure library calls itself, the libraries it is given, and this much of libc: memory, text and
# names by hash, but no clock, no chance, no file, no network.
# usage: purity.sh LIBRARY [LIBRARY_IT_MAY_CALL...]
set -eu
libc='^(memcpy|memset|memmove|memcmp|memchr|strlen|strcmp|strncmp|strchr|snprintf|vsnprintf'
libc=$libc'|malloc|calloc|realloc|free|uuid_generate_sha1'
libc=$libc'|__stack_chk_fail|__assert_fail|_GLOBAL_OFFSET_TABLE_|__(asan|ubsan|tsan|sanitizer)_.*|__[a-z]+_chk)$'
library=$1
may=$(mktemp)
trap 'rm -f "$may"' EXIT
nm --defined-only "$@" | awk 'NF == 3 { print $3 }' | sort -u >"$may"
bad=$(nm -u "$library" | awk '$1 == "U" { print $2 }' | sort -u | comm -23 - "$may" |
    grep -Ev "$libc" || true)
[ -z "$bad" ] || {
    printf '%s is not pure, it calls: %s\n' "${library##*/}" "$(echo $bad)" >&2
    exit 1
}
