# Format and checks of the sources.
c_files() { git ls-files --cached --others --exclude-standard -- '*.c' '*.h'; }

fmt_run() {
    mkdir -p "$RUN"
    ensure_packages
    c_files | xargs -r -d '\n' clang-format-14 -i
}

lint_run() {
    mkdir -p "$RUN"
    ensure_packages
    local failed=()
    tools/format.sh || failed+=(format)
    tools/layers.sh || failed+=(layers)
    build dev # also writes the generated headers and the compile commands
    purity_run || failed+=(purity)
    # Only what is compiled; generated code is not read by people.
    jq -r '.[].file' build/dev/compile_commands.json | grep -v "^$ROOT/build/" | sort -u |
        xargs -r -d '\n' -n 4 -P "$(nproc)" clang-tidy-14 -p build/dev --quiet 2> >(grep -Ev '^[0-9]+ warnings|^Suppressed|^Use -header' >&2) ||
        failed+=(clang-tidy)
    [ ${#failed[@]} -eq 0 ] || die "lint: ${failed[*]}"
    say "lint: clean"
}

purity_run() {
    ctest --test-dir build/dev -R '^tidy\.purity\.' --output-on-failure --quiet
}
