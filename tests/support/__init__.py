"""What the tests share: servers, applications, recorders, expectations."""
