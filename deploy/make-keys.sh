#!/bin/sh
# Makes what is secret, once: FOLDER gets one file each. usage: make-keys.sh FOLDER CONNINFO
# CONNINFO names the PostgreSQL server; its password is made here.
set -eu
folder=$1
conninfo=$2
hex() { od -An -vtx1 -N "$1" /dev/urandom | tr -d ' \n'; }
make() { # NAME VALUE: nothing happens when it is there
    [ -s "$folder/$1" ] || { printf '%s\n' "$2" >"$folder/$1.new" && mv "$folder/$1.new" "$folder/$1"; }
}
umask 077
make secret "$(hex 32)"
make email-secret "$(hex 32)"
make master-key "$(hex 32)"
make pg-password "$(hex 16)"
make pg "$conninfo password=$(cat "$folder/pg-password")"
# Whoever may mount the folder may read it: containers run as different users.
chmod 755 "$folder"
chmod 644 "$folder"/*
