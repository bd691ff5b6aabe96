package org.apache.kafka.common.utils;

/** Kafka's clock, so many milliseconds ahead of the machine's as the property `aheadMs` says. */
class SystemTime implements Time {
  private static final long AHEAD_MS = Long.getLong("aheadMs", 0);
  private static final SystemTime TIME = new SystemTime();

  public static SystemTime getSystemTime() {
    return TIME;
  }

  @Override
  public long milliseconds() {
    return System.currentTimeMillis() + AHEAD_MS;
  }

  @Override
  public long nanoseconds() {
    return System.nanoTime();
  }

  @Override
  public void sleep(long ms) {
    Utils.sleep(ms);
  }
}
