#!/bin/bash
# mutants.sh COMPILER: plants one bug at a time in the codec and in schemac; the suites must notice each.
set -uo pipefail
compiler=$1
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
survived=0 planted=0

flags=(-std=gnu17 -D_GNU_SOURCE -w -O0 -I "$work/tree" -I "$work/generated")
schemac_libs=$(pkg-config --libs jansson)
check_libs="$(pkg-config --libs check jansson uuid)"
codec=(arena json_check json_decode json_encode json_fault json_format json_scan message uuid)
compiler_parts=(schemac definitions keywords names pattern understand write_header write_source)
tests=(test_codec test_formats test_corpus judge)

mkdir -p tree generated/schemas objects
cp -r "$root"/{core,tools,schemas,tests} tree/

compile() { # FILE.c without .c, in tree or generated: its object
    "$compiler" "${flags[@]}" -c "$1.c" -o "objects/${1//\//_}.o"
}
link_schemac() {
    # shellcheck disable=SC2086
    "$compiler" "${compiler_parts[@]/#/objects/tree_tools_schemac_}" -o schemac $schemac_libs
}
link_codec() {
    local core=("${codec[@]/#/objects/tree_core_}")
    for test in "${tests[@]}"; do
        # shellcheck disable=SC2086
        "$compiler" "objects/tree_tests_schemas_$test.o" "${core[@]/%/.o}" objects/generated_*.o \
            -o "$test" $check_libs || return 1
    done
}
generate() {
    for schema in tree/schemas/*.json tree/tests/schemas/sample.json; do
        ./schemac "$schema" generated/schemas || return 1
    done
}
noticed_by() { # CODEC|SCHEMAC: the first suite that fails
    if [ "$1" = schemac ]; then
        timeout 60 tree/tests/schemas/refusals.sh "$work/schemac" >said 2>&1 || { echo refusals; return; }
        return 1
    fi
    for test in test_codec test_formats test_corpus; do
        timeout 60 "./$test" >said 2>&1 || { echo "$test"; return; }
    done
    timeout 60 python3 "$root/tests/schemas/differential.py" "$work/judge" 3000 >said 2>&1 ||
        { echo differential; return; }
    return 1
}

rebuild() { # FILE: what is made of it
    if [[ $1 = *.h ]]; then
        for part in "${codec[@]}"; do compile "tree/core/$part" || return 1; done
    else
        compile "tree/${1%.c}"
    fi
}

plant() { # FILE SED
    local file=$1
    planted=$((planted + 1))
    cp "tree/$file" sound.c
    sed -i -E "$2" "tree/$file"
    if cmp -s "tree/$file" sound.c; then
        echo "not planted: $file $2"
        survived=$((survived + 1))
    else
        local kind=codec
        [[ $file != tools/* ]] || kind=schemac
        if ! rebuild "$file" || ! "link_$kind"; then
            echo "does not build: $file $2"
            survived=$((survived + 1))
        elif suite=$(noticed_by $kind); then
            echo "noticed by $suite: $file $2"
        else
            echo "SURVIVED: $file $2"
            survived=$((survived + 1))
        fi
    fi
    cp sound.c "tree/$file"
    rebuild "$file"
}

for part in "${compiler_parts[@]}"; do compile "tree/tools/schemac/$part" || exit 1; done
compiler_parts=("${compiler_parts[@]/%/.o}")
link_schemac && generate || exit 1
for part in "${codec[@]}"; do compile "tree/core/$part" || exit 1; done
for part in generated/schemas/*.c; do compile "${part%.c}" || exit 1; done
for test in "${tests[@]}"; do compile "tree/tests/schemas/$test" || exit 1; done
link_codec || exit 1
for kind in codec schemac; do
    ! suite=$(noticed_by $kind) || { echo "$suite fails without any bug planted"; cat said; exit 1; }
done

plant core/json_decode.c 's/if \(o->seen >> i & 1\)/if (0)/'
plant core/json_decode.c 's/ \|\| \(o->seen >> o->guess & 1\)//'
plant core/json_decode.c 's/return shape->open \|\|/return true ||/'
plant core/json_decode.c 's/if \(d\.scan\.at != d\.scan\.end\)/if (0)/'
plant core/json_decode.c 's/if \(depth < JSON_DEPTH_MAX\)/if (depth <= JSON_DEPTH_MAX)/'
plant core/json_decode.c 's/bool kept = found\+\+ < shape->max/bool kept = (found++, true)/'
plant core/json_decode.c 's/memset\(value, 0, shape->size\)/(void)0/'
plant core/json_decode.c 's/memset\(slot, 0, item->size\)/(void)0/'
plant core/json_decode.c 's/memcpy\(moved, list->at, list->count \* item_size\)/(void)0/'
plant core/json_decode.c 's/if \(!number\.integral\)/if (0)/'
plant core/json_decode.c 's/if \(!number\.fits\)/if (0)/'
plant core/json_decode.c 's/return !\(shape->required \& ~o\.seen\)/return true/'
plant core/json_decode.c 's/return report->count == 0/return true/'
plant core/json_check.h 's/value < shape->min/value < shape->min - 1/'
plant core/json_check.c 's/\(int64_t\)points > shape->max/(int64_t)text.len > shape->max/'
plant core/json_check.c 's/return at == text\.len/return true/'
plant core/json_check.c 's/n < atom->max \&\& //'
plant core/json_check.c 's/if \(n < atom->min\)/if (0)/'
plant core/json_fault.c "s/c == '~' \|\| c == '\/'/0/"
plant core/json_fault.c 's/while \(at < used \&\& \(n = json_utf8_length/while (at < used \&\& (n = 1 + 0 * json_utf8_length/'
plant core/json_fault.c 's/report->count (==|<) JSON_FAULTS_MAX/report->count \1 100/'
plant core/json_encode.c 's/if \(n == 0 \|\| \*p == 0\)/if (n == 0)/'
plant core/json_encode.c 's/if \(value < 1 \|\| value > shape->count\)/if (value < 1)/'
plant core/json_encode.c 's/field->personal \&\&/0 \&\&/'
plant core/json_encode.c 's/-\(uint64_t\)value : /(uint64_t)value : /'
plant core/json_encode.c 's/if \(out->used <= out->size\)/if (1)/'
plant core/json_format.c 's/day--, rest \+=/rest +=/'
plant core/json_format.c 's/y % 100 != 0/1/'
plant core/json_format.c 's/!= 1439/== -1/'
plant core/json_format.c "s/sign == '\+' \? h/sign == '-' ? h/"
plant core/json_format.c 's/sign - text\.at <= 64/1/'
plant core/json_scan.c 's/if \(point >= 0xDC00 \&\& point <= 0xDFFF\)/if (0)/'
plant core/json_scan.c 's/if \(low < 0xDC00 \|\| low > 0xDFFF\)/if (0)/'
plant core/json_scan.c 's/if \(point == 0\)/if (0)/'
plant core/json_scan.c "s/if \(\*digits == '0' \&\& end - digits > 1\)/if (0)/"
plant core/json_scan.c 's/if \(!negative \&\& sum == INT64_MIN\)/if (0)/'
plant core/json_scan.c 's/if \(depth >= JSON_DEPTH_MAX\)/if (0)/'
plant core/json_scan.c 's/\(unsigned char\)\*p < 0x20 \|\| n == 0\)/n == 0)/'
plant core/json_scan.c 's/ones \* 0x20\)/ones * 0x10)/'
plant core/json_scan.c 's/0xED, 0xED, 0x80, 0x9F/0xED, 0xED, 0x80, 0xBF/'
plant core/json_scan.c 's/0xE0, 0xE0, 0xA0/0xE0, 0xE0, 0x80/'
plant core/json_scan.c 's/0xF0, 0xF0, 0x90/0xF0, 0xF0, 0x80/'
plant core/json_scan.c 's/0xF4, 0xF4, 0x80, 0x8F/0xF4, 0xF4, 0x80, 0xBF/'
plant core/json_scan.c 's/0xC2, 0xDF/0xC0, 0xDF/'
plant core/json_scan.c 's/\(u\[i\] \& 0xC0\) != 0x80/0/'
plant core/json_scan.c 's/ \|\| end - p < sequences\[row\]\.length//'
plant core/json_scan.c 's/scan->arena->used = used;//'
plant core/uuid.c "s/text\.at\[13\] != '-' \|\|//"
plant core/uuid.c 's/wrong \|= !high \|\| !low/wrong |= !high/'

plant tools/schemac/keywords.c 's/if \(!known\)/if (0)/'
plant tools/schemac/keywords.c 's/if \(!beside\)/if (0)/'
plant tools/schemac/keywords.c 's/\{"x-personal", ON_REF, PROPERTY\}/{"x-personal", ON_REF, ANYWHERE}/'
plant tools/schemac/keywords.c 's/\{"x-message", ON_OBJECT, DEFINITION\}/{"x-message", ON_OBJECT, ANYWHERE}/'
plant tools/schemac/keywords.c 's/mark \&\& !json_is_true\(mark\)/0/'
plant tools/schemac/names.c 's/if \(owner\)/if (0)/'
plant tools/schemac/definitions.c 's/def->state == DEF_BUSY/0/'
plant tools/schemac/definitions.c 's/if \(def->type->personal\)/if (0)/'
plant tools/schemac/definitions.c 's/!def->used \&\&/0 \&\&/'
plant tools/schemac/understand.c 's/if \(type->item->personal\)/if (0)/'
plant tools/schemac/understand.c 's/!lax \&\& !json_object_get\(schema, "maxLength"\)/0/'
plant tools/schemac/understand.c 's/!lax \&\& !json_object_get\(schema, "maxItems"\)/0/'
plant tools/schemac/understand.c 's/if \(type->nesting > JSON_DEPTH_MAX\)/if (0)/'
plant tools/schemac/understand.c 's/claim_members\(type, pointer\);//'
plant tools/schemac/pattern.c 's/check_greed\(\&p\);//'
plant tools/schemac/schemac.c 's/JSON_REJECT_DUPLICATES,/0,/'

echo "$planted bugs planted, $survived not noticed"
[ $survived = 0 ]
