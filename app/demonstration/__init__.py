"""The demonstration: invented companies, marked 测试, in the registers of real authorities. Test stores only."""
