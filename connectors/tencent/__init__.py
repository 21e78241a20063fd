"""What the Tencent channels share; no channel itself."""
