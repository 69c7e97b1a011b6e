# The simulator: seeds in as many processes as there are processors; all else as the program takes it.
SIM=build/release/tests/sim/foldlog-sim

sim_run() {
    local seeds=1000 first=1 alone='' rest=()
    local given=("$@")
    while [ $# -gt 0 ]; do
        case $1 in
        --seeds) seeds=${2:?--seeds N} && shift ;;
        --first) first=${2:?--first S} && shift ;;
        --twice) rest+=("$1") ;;
        --commands) rest+=("$1" "${2:?--commands M}") && shift ;;
        *) alone=yes ;;
        esac
        shift
    done
    mkdir -p "$RUN/sim"
    ensure_packages
    build release
    [ -z "$alone" ] || exec "$SIM" "${given[@]}"
    sim_share "$seeds" "$first" "${rest[@]}"
}

sim_share() { # SEEDS FIRST ARGUMENT...: the last line sums up
    local seeds=$1 first=$2 shares i share pids=() failed=0
    shift 2
    shares=$(nproc)
    [ "$seeds" -ge "$shares" ] || shares=1
    for ((i = 0; i < shares; i++)); do
        share=$(((seeds + i) / shares))
        "$SIM" --first "$first" --seeds "$share" --keep-going "$@" >"$RUN/sim/$i" &
        pids+=($!)
        first=$((first + share))
    done
    for i in "${pids[@]}"; do wait "$i" || failed=1; done
    for ((i = 0; i < shares; i++)); do sed '/^sim:/d' "$RUN/sim/$i"; done
    for ((i = 0; i < shares; i++)); do tail -n 1 "$RUN/sim/$i"; done |
        awk '{seeds += $2; bad += $4} END {printf "sim: %d seeds, %d violations\n", seeds, bad}'
    return $failed
}
