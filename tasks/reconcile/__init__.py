"""What has to happen: Accounts compared with what Replicon has become a Plan."""
