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

# Each share in slices, so that a long run can be looked at while it goes on. The report is printed at
# the end and stays in $RUN/sim/report.
SIM_SLICE=20000

sim_share() { # SEEDS FIRST ARGUMENT...: the last line sums up
    local seeds=$1 first=$2 shares i share pids=() failed=0 began=$SECONDS start=$2
    shift 2
    shares=$(nproc)
    [ "$seeds" -ge "$shares" ] || shares=1
    rm -f "$RUN"/sim/*
    for ((i = 0; i < shares; i++)); do
        share=$(((seeds + i) / shares))
        sim_slices "$first" "$share" "$@" >"$RUN/sim/$i" 2>"$RUN/sim/$i.pace" &
        pids+=($!)
        first=$((first + share))
    done
    for i in "${pids[@]}"; do wait "$i" || failed=1; done
    sim_report "$shares" "$start" $((SECONDS - began)) | tee "$RUN/sim/report"
    return $failed
}

sim_slices() { # FIRST SEEDS ARGUMENT...
    local first=$1 left=$2 slice failed=0
    shift 2
    while [ "$left" -gt 0 ]; do
        slice=$((left < SIM_SLICE ? left : SIM_SLICE))
        nice -n 10 "$SIM" --first "$first" --seeds "$slice" --keep-going "$@" || failed=1
        first=$((first + slice)) left=$((left - slice))
    done
    return $failed
}

sim_report() { # SHARES FIRST SECONDS
    local i
    for ((i = 0; i < $1; i++)); do sed '/^sim:/d' "$RUN/sim/$i"; done
    for ((i = 0; i < $1; i++)); do grep '^sim:' "$RUN/sim/$i" || true; done |
        awk -v first="$2" -v took="$3" '{seeds += $2; bad += $4} END {
            printf "seeds %d to %d in %d s, %.1f seeds/s\n", first, first + seeds - 1, took, seeds / (took ? took : 1)
            printf "sim: %d seeds, %d violations\n", seeds, bad}'
}

# Hours. The report is printed at the end and stays in $RUN/soak/report.
soak_run() {
    local seeds=1000000 kills=1000 minutes=20 failed=0
    while [ $# -gt 0 ]; do
        case $1 in
        --seeds) seeds=${2:?--seeds N} && shift ;;
        --kills) kills=${2:?--kills N} && shift ;;
        --minutes) minutes=${2:?--minutes N} && shift ;; # of one run
        *) die "usage: ./dev soak [--seeds N] [--kills N] [--minutes N]" ;;
        esac
        shift
    done
    mkdir -p "$RUN/soak"
    {
        echo "$(date -u +%FT%TZ): $seeds seeds, then chaos until $kills were killed"
        FOLDLOG_RUN=$RUN ./dev sim --seeds "$seeds" --first 2000000 | tail -n 3 || failed=1
        soak_chaos "$kills" "$minutes" || failed=1
        date -u +%FT%TZ
        [ $failed = 0 ]
    } | tee "$RUN/soak/report"
}

# Runs until so many were killed. One that finds something is the last, so that what it left stays.
soak_chaos() { # KILLS MINUTES
    local killed=0 runs=0 status=0 n
    while [ "$killed" -lt "$1" ] && [ $status = 0 ]; do
        FOLDLOG_RUN=$RUN ./dev chaos --minutes "$2" --clients 32 --clerks 24 >"$RUN/soak/chaos" || status=$?
        n=$(sed -n 's/^chaos: \([1-9][0-9]*\) kills,.*/\1/p' "$RUN/soak/chaos")
        grep '^seed ' "$RUN/soak/chaos" || true
        if [ $status = 0 ]; then tail -n 1 "$RUN/soak/chaos"; else tail -n 40 "$RUN/soak/chaos"; fi
        killed=$((killed + ${n:-0})) runs=$((runs + 1))
        [ -n "$n" ] || status=1 # it did not come to its end
    done
    echo "soak: $killed killed in $runs runs of $2 minutes"
    return $status
}
