# One Kafka broker in KRaft mode on loopback, its state under $RUN/kafka.
CONTROLLER_PORT=$((KAFKA_PORT + 1))
# The first compiler alone halves the broker's CPU time in its first minute; a benchmark unsets it.
KAFKA_JIT=-XX:TieredStopAtLevel=1

kafka_java() {
    local heap=$1
    shift
    # A path starting with "file:" is how log4j2 is told a place outside the class path.
    # shellcheck disable=SC2086
    exec java "$heap" -Xmx512m -XX:+UseSerialGC $KAFKA_JIT \
        "-Dlog4j2.configurationFile=file:$ROOT/deploy/kafka/log4j2.properties" \
        -cp "$KAFKA_HOME/libs/*" "$@"
}

kafka_properties() {
    cat <<TEXT
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$CONTROLLER_PORT
listeners=PLAINTEXT://127.0.0.1:$KAFKA_PORT,CONTROLLER://127.0.0.1:$CONTROLLER_PORT
advertised.listeners=PLAINTEXT://127.0.0.1:$KAFKA_PORT
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$RUN/kafka/data
auto.create.topics.enable=false
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
offsets.topic.num.partitions=8
transaction.state.log.num.partitions=8
offsets.retention.minutes=525600
group.initial.rebalance.delay.ms=0
TEXT
}

kafka_cluster_id() {
    local id=-
    while [[ $id == -* ]]; do # a leading dash would be read as an option
        id=$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d '=')
    done
    printf '%s' "$id"
}

# Formats the storage once; the ports may be others than last time.
kafka_prepare() {
    mkdir -p "$RUN/kafka"
    kafka_properties >"$RUN/kafka/server.properties"
    [ ! -f "$RUN/kafka/data/meta.properties" ] || return 0
    (kafka_java -Xms64m kafka.tools.StorageTool format -t "$(kafka_cluster_id)" \
        -c "$RUN/kafka/server.properties") >>"$RUN/kafka.log" 2>&1
}

# What runs the broker, each argument ended by NUL.
kafka_command() {
    printf '%s\0' bash -c "$(declare -f kafka_java)
        ROOT=\$1 KAFKA_HOME=\$2 KAFKA_JIT=\$3 kafka_java -Xms256m kafka.Kafka \"\$4\"" \
        kafka "$ROOT" "$KAFKA_HOME" "$KAFKA_JIT" "$RUN/kafka/server.properties"
}

kafka_start() {
    local command
    mapfile -d '' -t command < <(kafka_command)
    start kafka "${command[@]}"
}

# By the protocol itself: the broker names itself in its metadata.
kafka_answers() {
    port_taken "$KAFKA_PORT" && timeout 5 kcat -L -b "127.0.0.1:$KAFKA_PORT" -m 2 2>/dev/null |
        grep -q "^  broker 1 at"
}
