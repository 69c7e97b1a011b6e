#!/bin/sh
# Makes what is secret, once, a file each: for who answers HTTP in FOLDER; for everybody's way into PostgreSQL in
# PG_FOLDER. usage: make-keys.sh FOLDER PG_FOLDER CONNINFO
# CONNINFO names the PostgreSQL server; its password is made here.
set -eu
folder=$1
pg=$2
conninfo=$3
hex() { od -An -vtx1 -N "$1" /dev/urandom | tr -d ' \n'; }
make() { # FILE VALUE: nothing happens when it is there
    [ -s "$1" ] || { printf '%s\n' "$2" >"$1.new" && mv "$1.new" "$1"; }
}
umask 077
make "$folder/secret" "$(hex 32)"
make "$folder/email-secret" "$(hex 32)"
make "$folder/master-key" "$(hex 32)"
make "$pg/pg-password" "$(hex 16)"
make "$pg/pg" "$conninfo password=$(cat "$pg/pg-password")"
# Whoever may mount a folder may read it: containers run as different users.
chmod 755 "$folder" "$pg"
chmod 644 "$folder"/* "$pg"/*
