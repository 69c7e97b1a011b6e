#!/bin/sh
# Makes what is secret, once, a file each: for who answers HTTP in FOLDER; the ways into PostgreSQL, each with a
# password of its own, in folders of PG_FOLDER: of the administrator, of each service, of the vault.
# usage: make-keys.sh FOLDER PG_FOLDER SERVER
# SERVER begins each conninfo: host=... and what else it takes to reach the server.
set -eu
folder=$1
pg=$2
server=$3
hex() { od -An -vtx1 -N "$1" /dev/urandom | tr -d ' \n'; }
make() { # FILE VALUE: nothing happens when it is there
    [ -s "$1" ] || { printf '%s\n' "$2" >"$1.new" && mv "$1.new" "$1"; }
}
way() { # NAME ROLE DATABASE
    mkdir -p "$pg/$1"
    make "$pg/$1/password" "$(hex 16)"
    make "$pg/$1/conninfo" "$server user=$2 dbname=$3 password=$(cat "$pg/$1/password")"
}
umask 077
make "$folder/secret" "$(hex 32)"
make "$folder/email-secret" "$(hex 32)"
make "$folder/master-key" "$(hex 32)"
way admin postgres postgres
for name in user product inventory order payment fulfilment vault; do
    way "$name" "foldlog_$name" "foldlog_$name"
done
# Whoever may mount a folder may read it: containers run as different users.
find "$folder" "$pg" -type d -exec chmod 755 {} +
find "$folder" "$pg" -type f -exec chmod 644 {} +
