#!/bin/bash
# refusals.sh SCHEMAC: each schema below is refused, with the place and the reason beside it; so that
# nothing a schema says is without effect.
set -uo pipefail
schemac=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0 tried=0

run() { # DOCUMENT EXPECTED
    printf '%s' "$1" >"$dir/t.json"
    said=$("$schemac" "$dir/t.json" "$dir" 2>&1)
    local code=$?
    tried=$((tried + 1))
    if [ "$2" = accepted ]; then
        [ $code = 0 ] && return
    elif [ $code = 1 ] && [ "${said#"$dir/"}" = "$2" ]; then
        return
    fi
    printf 'schema   %s\nexpected %s\n     got %s (exit code %s)\n' "$1" "$2" "${said#"$dir/"}" $code
    failed=1
}
file() { run "$1" "t.json:$2"; }
defs() { # DEFINITIONS
    printf '{"$schema":"https://json-schema.org/draft/2020-12/schema","$defs":%s}' "$1"
}
refuses() { run "$(defs "$1")" "t.json:$2"; }
accepts() { run "$(defs "$1")" accepted; }

# The file.
file '{"a":1' "1:6: '}' expected near end of file"
file '{"$defs":{},"$defs":{}}' '1:19: duplicate object key near '"'"'"$defs"'"'"
file '{"$defs":{}}' '/$schema: must be https://json-schema.org/draft/2020-12/schema'
file '{"$schema":"http://json-schema.org/draft-07/schema#","$defs":{}}' '/$schema: must be https://json-schema.org/draft/2020-12/schema'
file '{"$schema":"https://json-schema.org/draft/2020-12/schema"}' '/$defs: must be an object'
file '{"$schema":"https://json-schema.org/draft/2020-12/schema","$defs":{},"type":"object"}' '/type: keyword is not supported at the top'
file '[]' '/$schema: must be https://json-schema.org/draft/2020-12/schema'

# Keywords that are not known, and known ones where they have no effect.
for keyword in oneOf anyOf allOf not if then else dependentRequired dependentSchemas patternProperties propertyNames \
    unevaluatedProperties minProperties maxProperties prefixItems contains minContains maxContains uniqueItems \
    unevaluatedItems multipleOf exclusiveMinimum exclusiveMaximum default examples deprecated readOnly writeOnly \
    contentEncoding contentMediaType '$anchor' '$dynamicRef' '$defs' definitions id x-pii tpye; do
    refuses "{\"a\":{\"type\":\"object\",\"$keyword\":{}}}" "/\$defs/a/$keyword: keyword is not supported"
    refuses "{\"a\":{\"type\":\"object\",\"properties\":{\"b\":{\"type\":\"boolean\",\"$keyword\":{}}}}}" \
        "/\$defs/a/properties/b/$keyword: keyword is not supported"
done
beside() { refuses "{\"a\":{$1,\"$2\":$3}}" "/\$defs/a/$2: keyword has no effect beside this type"; }
object='"type":"object"' array='"type":"array","maxItems":1,"items":{"type":"boolean"}'
string='"type":"string","maxLength":9' integer='"type":"integer"' boolean='"type":"boolean"'
uuid='"type":"string","format":"uuid"' instant='"type":"string","format":"date-time"'
enum='"type":"string","enum":["a"]'
for type in "$object" "$array" "$integer" "$boolean" "$uuid" "$instant" "$enum"; do
    beside "$type" minLength 1
    beside "$type" maxLength 9
    beside "$type" pattern '"^a$"'
done
for type in "$array" "$string" "$integer" "$boolean" "$uuid" "$instant" "$enum"; do
    beside "$type" properties '{}'
    beside "$type" required '[]'
    beside "$type" additionalProperties false
    beside "$type" x-message '"event"'
done
for type in "$object" "$string" "$integer" "$boolean" "$uuid" "$enum"; do
    beside "$type" items '{"type":"boolean"}'
    beside "$type" minItems 1
    beside "$type" maxItems 1
done
for type in "$object" "$array" "$string" "$boolean" "$uuid" "$instant" "$enum"; do
    beside "$type" minimum 1
    beside "$type" maximum 1
done
for type in "$object" "$array" "$integer" "$boolean"; do
    beside "$type" format '"uuid"'
    beside "$type" enum '["a"]'
done
beside "$boolean" const true
beside "$enum" format '"email"'
refuses '{"a":{"type":"object","title":1}}' '/$defs/a/title: must be a string'
refuses '{"a":{"type":"object","description":null}}' '/$defs/a/description: must be a string'

# Annotations.
personal='"x-personal":true'
refuses "{\"a\":{$object,\"x-personal\":false}}" '/$defs/a/x-personal: must be true or left out'
refuses "{\"a\":{$object,\"x-personal\":\"yes\"}}" '/$defs/a/x-personal: must be true or left out'
refuses "{\"a\":{$object,$personal}}" '/$defs/a/x-personal: keyword has no effect: nothing refers to this definition'
refuses "{\"e\":{$boolean},\"a\":{\"\$ref\":\"#/\$defs/e\",$personal}}" '/$defs/a/x-personal: keyword has no effect in a definition beside $ref'
refuses "{\"e\":{$boolean},\"a\":{\"\$ref\":\"#/\$defs/e\",\"description\":\"x\"}}" '/$defs/a/description: keyword has no effect in a definition beside $ref'
refuses "{\"e\":{$boolean},\"a\":{$object,\"properties\":{\"b\":{\"\$ref\":\"#/\$defs/e\",\"type\":\"boolean\"}}}}" \
    '/$defs/a/properties/b/type: keyword has no effect beside $ref'
refuses "{\"e\":{$string},\"a\":{$object,\"properties\":{\"b\":{\"\$ref\":\"#/\$defs/e\",\"maxLength\":1}}}}" \
    '/$defs/a/properties/b/maxLength: keyword has no effect beside $ref'
refuses "{\"a\":{\"type\":\"array\",\"maxItems\":1,\"items\":{$boolean,$personal}}}" '/$defs/a/items/x-personal: keyword has no effect in items'
refuses "{\"e\":{$boolean},\"a\":{\"type\":\"array\",\"maxItems\":1,\"items\":{\"\$ref\":\"#/\$defs/e\",$personal}}}" \
    '/$defs/a/items/x-personal: keyword has no effect in items beside $ref'
refuses "{\"e\":{$boolean,$personal},\"a\":{\"type\":\"array\",\"maxItems\":1,\"items\":{\"\$ref\":\"#/\$defs/e\"}}}" \
    '/$defs/a/items: mark the array x-personal, not its items'
refuses "{\"t.done.v1\":{\"x-message\":\"event\",$object,$personal}}" '/$defs/t.done.v1: mark its properties x-personal, not the message'
refuses "{\"a\":{$object,\"properties\":{\"b\":{$object,\"x-message\":\"event\"}}}}" '/$defs/a/properties/b/x-message: keyword has no effect in a property'
refuses "{\"a\":{\"type\":\"array\",\"maxItems\":1,\"items\":{$object,\"x-message\":\"event\"}}}" '/$defs/a/items/x-message: keyword has no effect in items'
refuses "{\"t.a.v1\":{$object},\"t.b.v1\":{\"\$ref\":\"#/\$defs/t.a.v1\",\"x-message\":\"event\"}}" '/$defs/t.b.v1/x-message: keyword has no effect beside $ref'
refuses "{\"t.a.v1\":{$object,\"x-message\":\"query\"}}" '/$defs/t.a.v1/x-message: must be command or event'
refuses "{\"t.a.v1\":{$object,\"x-message\":true}}" '/$defs/t.a.v1/x-message: must be command or event'
for name in a.v1 t.v1 done u.done.v1 t.done t.done.v t.done.v0 t.done.v01 t.done.v1x t.done.v-1 t.done.v12345 t.done.1; do
    refuses "{\"$name\":{\"x-message\":\"event\",$object}}" "/\$defs/$name: message must be named t.NAME.vN, N from 1 to 9999"
done

# What it does not understand, or could not bound.
refuses '{"a":true}' '/$defs/a: schema must be an object'
for type in '"number"' '"null"' '["string","null"]' null '"String"'; do
    refuses "{\"a\":{\"type\":$type}}" '/$defs/a: type must be one of object, array, string, integer, boolean'
done
refuses '{"a":{}}' '/$defs/a: type must be one of object, array, string, integer, boolean'
refuses '{"a":{"type":"string"}}' '/$defs/a: string needs maxLength'
refuses '{"a":{"type":"string","format":"email"}}' '/$defs/a: string needs maxLength'
refuses '{"a":{"type":"array","maxItems":1}}' '/$defs/a: array needs items'
refuses '{"a":{"type":"array","items":{"type":"boolean"}}}' '/$defs/a: array needs maxItems'
refuses '{"a":{"type":"array","maxItems":1,"items":false}}' '/$defs/a/items: schema must be an object'
for format in uri ipv4 date time hostname idn-email regex; do
    refuses "{\"a\":{$string,\"format\":\"$format\"}}" '/$defs/a/format: format is not supported: only uuid, date-time, email'
done
refuses "{\"a\":{$string,\"format\":1}}" '/$defs/a/format: format is not supported: only uuid, date-time, email'
refuses '{"a":{"type":"string","maxLength":-1}}' '/$defs/a/maxLength: must lie between 0 and 4294967295'
refuses '{"a":{"type":"string","maxLength":4294967296}}' '/$defs/a/maxLength: must lie between 0 and 4294967295'
refuses '{"a":{"type":"string","maxLength":2.0}}' '/$defs/a/maxLength: must be a whole number'
refuses '{"a":{"type":"string","maxLength":"9"}}' '/$defs/a/maxLength: must be a whole number'
refuses '{"a":{"type":"string","minLength":3,"maxLength":2}}' '/$defs/a: minLength is above maxLength'
refuses "{\"a\":{\"type\":\"array\",\"minItems\":2,\"maxItems\":1,\"items\":{$boolean}}}" '/$defs/a: minItems is above maxItems'
refuses '{"a":{"type":"integer","minimum":2,"maximum":1}}' '/$defs/a: minimum is above maximum'
refuses '{"a":{"type":"integer","minimum":1.5}}' '/$defs/a/minimum: must be a whole number'
refuses '{"a":{"type":"integer","const":1,"minimum":2}}' '/$defs/a: minimum and maximum have no effect beside const'
refuses '{"a":{"type":"integer","const":"1"}}' '/$defs/a/const: must be a whole number'
refuses '{"a":{"type":"string","enum":["a"],"const":"a"}}' '/$defs/a: enum and const together'
refuses '{"a":{"type":"string","enum":[]}}' '/$defs/a/enum: must list at least one value'
refuses '{"a":{"type":"string","enum":"a"}}' '/$defs/a/enum: must list at least one value'
refuses '{"a":{"type":"string","enum":["a",1]}}' '/$defs/a/enum/1: is not a string'
refuses '{"a":{"type":"string","const":null}}' '/$defs/a/const/0: is not a string'
refuses '{"a":{"type":"string","enum":["a\u0000"]}}' '1:105: \u0000 is not allowed without JSON_ALLOW_NUL near '"'"'"a\u0000"'"'"
refuses '{"a":{"type":"object","required":["b"]}}' '/$defs/a/required: item 0 names no property'
refuses '{"a":{"type":"object","required":[1]}}' '/$defs/a/required: item 0 names no property'
refuses '{"a":{"type":"object","required":"b"}}' '/$defs/a/required: must be an array'
refuses "{\"a\":{$object,\"properties\":{\"b\":{$boolean}},\"required\":[\"b\",\"b\"]}}" '/$defs/a/required: item 1 is given twice'
refuses '{"a":{"type":"object","properties":[]}}' '/$defs/a/properties: must be an object'
refuses '{"a":{"type":"object","additionalProperties":{"type":"boolean"}}}' '/$defs/a/additionalProperties: must be true or false'

# References.
for ref in 'other.json#/$defs/b' '#/properties/b' '#' 'b' '#b' 'https://foldlog.example/t.json#/$defs/b'; do
    refuses "{\"a\":{\"\$ref\":\"$ref\"}}" '/$defs/a/$ref: must be #/$defs/NAME or common.json#/$defs/NAME'
done
refuses '{"a":{"$ref":1}}' '/$defs/a/$ref: must be #/$defs/NAME or common.json#/$defs/NAME'
refuses '{"a":{"$ref":"#/$defs/b"}}' '/$defs/a/$ref: no such definition'
refuses '{"a":{"$ref":"common.json#/$defs/b"}}' '/$defs/a/$ref: no such definition'
refuses '{"a":{"$ref":"#/$defs/a"}}' '/$defs/a/$ref: recursive $ref: a'
refuses '{"a":{"type":"object","properties":{"b":{"$ref":"#/$defs/a"}}}}' '/$defs/a/properties/b/$ref: recursive $ref: a'
refuses "{\"a\":{$object,\"properties\":{\"b\":{\"\$ref\":\"#/\$defs/c\"}}},\"c\":{\"type\":\"array\",\"maxItems\":1,\"items\":{\"\$ref\":\"#/\$defs/a\"}}}" \
    '/$defs/c/items/$ref: recursive $ref: a'

# Names that C would see twice, or not take.
refuses '{"a":{"type":"string","enum":["a-b","a_b"]}}' '/$defs/a/enum/1: makes the same C name as /$defs/a/enum/0: T_A_A_B'
refuses '{"a":{"type":"string","enum":["a","A"]}}' '/$defs/a/enum/1: makes the same C name as /$defs/a/enum/0: T_A_A'
refuses '{"a":{"type":"string","enum":["a","a"]}}' '/$defs/a/enum/1: makes the same C name as /$defs/a/enum/0: T_A_A'
refuses '{"a":{"type":"string","enum":["b_c"]},"a_b":{"type":"string","enum":["c"]}}' \
    '/$defs/a_b/enum/0: makes the same C name as /$defs/a/enum/0: T_A_B_C'
refuses "{\"a.b\":{$boolean},\"a-b\":{$boolean}}" '/$defs/a-b: makes the same C name as /$defs/a.b: t_a_b_shape'
refuses "{\"a\":{$object,\"properties\":{\"b\":{$boolean}}},\"a_b\":{$boolean}}" '/$defs/a_b: makes the same C name as /$defs/a/properties/b: t_a_b_shape'
refuses "{\"a\":{$object,\"properties\":{\"b\":{$boolean},\"has_b\":{$boolean}}}}" \
    '/$defs/a/properties/has_b: makes the same C name as /$defs/a/properties/b: t_a.has_b'
refuses "{\"a\":{$object,\"properties\":{\"int\":{$boolean},\"int_\":{$boolean}},\"required\":[\"int\",\"int_\"]}}" \
    '/$defs/a/properties/int_: makes the same C name as /$defs/a/properties/int: t_a.int_'
refuses "{\"event\":{$object},\"t.a.v1\":{$object,\"x-message\":\"event\"}}" '/$defs/event: makes the same C name as /$defs: tag t_event'
refuses "{\"t.a.v1\":{$object,\"x-message\":\"event\"},\"event\":{\"type\":\"string\",\"enum\":[\"a_v1\"]}}" \
    '/$defs/event/enum/0: makes the same C name as /$defs/t.a.v1: T_EVENT_A_V1'
for name in a-b 1a '' 'a b' é _a aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggggg; do
    refuses "{\"a\":{$object,\"properties\":{\"$name\":{$boolean}}}}" \
        "/\$defs/a/properties/$name: property name must be a C name of at most 64 letters"
done
refuses "{\"a\":{$object,\"properties\":{\"a/b~\":{$boolean}}}}" '/$defs/a/properties/a~1b~0: property name must be a C name of at most 64 letters'
long=$(printf 'x%.0s' {1..200})
refuses "{\"$long\":{$boolean}}" "/\$defs/$long: makes too long a C name"
refuses "{\"a\":{\"type\":\"string\",\"enum\":[\"$long\"]}}" '/$defs/a/enum/0: makes too long a C name'

# Patterns: only those that are matched without looking back.
pattern() { refuses "{\"a\":{$string,\"pattern\":\"$1\"}}" "/\$defs/a/pattern: $2"; }
plain='pattern: only ^ literals [classes] {n,m} ? * + $ are supported'
pattern '' 'pattern: must start with ^'
pattern 'a$' 'pattern: must start with ^'
pattern '^a' 'pattern: must end with $'
pattern '^a$b' 'pattern: must end with $'
pattern '^a|b$' "$plain"
pattern '^(a)$' "$plain"
pattern '^.$' "$plain"
pattern '^é$' "$plain"
pattern '^*$' "$plain"
pattern '^a**$' "$plain"
pattern '^[^a]$' "$plain"
pattern '^[a$' 'pattern: class does not end'
pattern '^[z-a]$' 'pattern: range is upside down'
pattern '^a{2,1}$' 'pattern: bad repeat'
pattern '^a{2$' 'pattern: bad repeat'
pattern '^a{x}$' 'pattern: repeat count expected'
pattern '^\\w$' 'pattern: escape is not supported'
pattern '^\\' 'pattern: escape is not supported'
pattern '^[a-z]*z$' 'pattern: a repeat and what follows it share characters'
pattern '^a?b?a$' 'pattern: a repeat and what follows it share characters'
pattern '^aaaaaaaaaaaaaaaaa$' 'pattern: too many parts'
refuses "{\"a\":{$string,\"pattern\":1}}" '/$defs/a/pattern: must be a string'

# Depth, as deep as the decoder goes.
nested() { # LEVELS of arrays
    local schema=$boolean
    for ((i = 0; i < $1; i++)); do schema="\"type\":\"array\",\"maxItems\":1,\"items\":{$schema}"; done
    echo "{\"a\":{$schema}}"
}
accepts "$(nested 16)"
refuses "$(nested 17)" '/$defs/a: nests deeper than the 16 levels that are decoded'
many=$(for i in {1..65}; do printf '"p%d":{"type":"boolean"},' "$i"; done)
refuses "{\"a\":{$object,\"properties\":{${many%,}}}}" '/$defs/a/properties/p65: too many properties'

# The same, right.
accepts '{}'
accepts "{\"e\":{$boolean,$personal},\"a\":{$object,\"properties\":{\"b\":{\"\$ref\":\"#/\$defs/e\",\"description\":\"x\",$personal}},\"required\":[\"b\"]}}"
accepts "{\"t.done.v1\":{\"x-message\":\"event\",$object,\"properties\":{\"b\":{$string,$personal}}}}"
for pattern in '^$' '^a$' '^[a-z]+[0-9]*$' '^\\d{2}:\\d{2}$' '^a?b?c$' '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$' '^\\.\\-$'; do
    accepts "{\"a\":{$string,\"pattern\":\"$pattern\"}}"
done

# What is wrong in common.json is said of common.json.
printf '%s' "$(defs '{"b":{"type":"string"}}')" >"$dir/common.json"
run "$(defs '{"a":{"$ref":"common.json#/$defs/b"}}')" 'common.json:/$defs/b: string needs maxLength'

echo "$tried schemas tried"
exit $failed
