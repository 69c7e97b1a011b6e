"""Topics that are not as the protocol needs them are refused, by `topics check` and by `run`. usage: topics.py FOLDLOG"""
import os
import sys

TOOLS = os.environ.get("FOLDLOG_TEST_PYTHON")  # with what tools/dev/requirements.txt names
if TOOLS and os.path.dirname(os.path.dirname(TOOLS)) != sys.prefix:
    os.execv(TOOLS, [TOOLS, *sys.argv])
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from system import System, check, equal, finish


class Topics:
    def __init__(self, brokers):
        self.client = AdminClient({"bootstrap.servers": brokers})

    def set(self, topic, name, value):
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        for future in self.client.incremental_alter_configs([resource]).values():
            future.result()


def refused(foldlog, what, topic, word, *flags):
    done = foldlog.verb("topics", "check", *flags)
    said = done.stdout + done.stderr
    check(f"{what}: topics check says which and why", done.returncode == 1 and topic in said and word in said,
          (done.returncode, said[-400:]))
    ran = foldlog.verb("run", *flags)
    check(f"{what}: run refuses to start", ran.returncode == 1 and word in ran.stdout + ran.stderr,
          (ran.returncode, ran.stderr[-400:]))


foldlog = System(sys.argv[1])
topics = Topics(foldlog.environment["FOLDLOG_KAFKA"])
foldlog.must("topics", "apply")
equal("as they were made they are right", foldlog.verb("topics", "check").returncode, 0)
for topic, name, wrong, right in (("order.log", "retention.ms", "604800000", "-1"),
                                  ("order.log", "retention.bytes", "1000000", "-1"),
                                  ("order.log", "cleanup.policy", "compact", "delete"),
                                  ("payment.events", "retention.ms", "604800000", "-1")):
    topics.set(topic, name, wrong)
    try:
        refused(foldlog, f"{name} {wrong} of {topic}", topic, name)
    finally:
        topics.set(topic, name, right)
refused(foldlog, "another partition count", "order.log", "partitions", "--partitions=8")
refused(foldlog, "one replica without --dev", "order.log", "replicas", "--dev=false")
equal("and right again", foldlog.verb("topics", "check").returncode, 0)
finish()
