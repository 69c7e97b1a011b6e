/* murmur2 and the partition of a key, as Kafka's own client computes them. */
#include "core/partition.h"
#include "tests/runtime/run_suite.h"

/* From org.apache.kafka.common.utils.UtilsTest. */
START_TEST(murmur2_agrees_with_kafkas_java_client)
{
    ck_assert_int_eq((int32_t)murmur2(TEXT("21")), -973932308);
    ck_assert_int_eq((int32_t)murmur2(TEXT("foobar")), -790332482);
    ck_assert_int_eq((int32_t)murmur2(TEXT("a-little-bit-long-string")), -985981536);
    ck_assert_int_eq((int32_t)murmur2(TEXT("a-little-bit-longer-string")), -1486304829);
    ck_assert_int_eq((int32_t)murmur2(TEXT("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")),
                     -58897971);
    ck_assert_int_eq((int32_t)murmur2(TEXT("abc")), 479470107);
}
END_TEST

START_TEST(a_partition_is_never_negative)
{
    char key[8];
    for (int i = 0; i < 10000; i++) {
        int len = snprintf(key, sizeof key, "%d", i);
        int p = partition_of((struct text){key, (size_t)len}, 4);
        ck_assert(p >= 0 && p < 4);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {murmur2_agrees_with_kafkas_java_client,
                                  a_partition_is_never_negative};
    return run_suite("partition", tests, COUNT(tests));
}
